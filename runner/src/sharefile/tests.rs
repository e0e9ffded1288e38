use super::component::{Seed, WordHash};
use super::*;
use crate::consortium::tests::identity;
use crate::consortium::{Consortium, Member, Party};
use crate::digest::Digest;
use crate::encode::{DATA_SCALE, Encoded};
use crate::envelope::{EnvelopeError, Sealer};
use crate::failure::Explain;
use crate::identity::{Identity, Role};
use jiff::Timestamp;
use mpc_core::fixed;
use mpc_core::party::PartyId;
use ndarray::Array2;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use std::io::Cursor;
use std::sync::LazyLock;

/// A consortium with the identities of everyone in it.
pub(crate) struct Trial {
    pub(crate) consortium: Consortium,
    pub(crate) parties: [Identity; 3],
    pub(crate) members: [Identity; 2],
}

/// The consortium of all tests here: keys are slow to make.
pub(crate) static TRIAL: LazyLock<Trial> = LazyLock::new(trial);

fn trial() -> Trial {
    let parties = ["p0", "p1", "p2"].map(|name| identity(name, Role::Party));
    let members = ["hospital-a", "hospital-b"].map(|name| identity(name, Role::Member));
    let party = |(port, identity): (usize, &Identity)| Party {
        address: format!("127.0.0.1:{}", 9000 + port),
        card: identity.card().clone(),
    };
    let consortium = Consortium::new(
        "trial".into(),
        parties.iter().enumerate().map(party).collect(),
        members.iter().map(|member| Member { card: member.card().clone() }).collect(),
    )
    .unwrap();
    Trial { consortium, parties, members }
}

const SCHEMA: Digest = Digest([3; 32]);

fn data(rows: usize, features: usize) -> Encoded {
    let value = |(row, column): (usize, usize)| ((row * 7 + column * 3) % 21) as f64 / 10.0 - 1.0;
    let label = |(row, class)| f64::from(u8::from(row % 2 == class));
    Encoded::new(
        Array2::from_shape_fn((rows, features), value),
        Array2::from_shape_fn((rows, 2), label),
    )
    .unwrap()
}

fn sharing<'a>(data: &'a Encoded, trial: &'a Trial) -> Sharing<'a> {
    let name = "ward".parse().unwrap();
    let owner = &trial.members[0];
    Sharing { data, schema: SCHEMA, name, owner, consortium: &trial.consortium }
}

fn share(data: &Encoded, trial: &Trial, seed: u64) -> [Vec<u8>; 3] {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let split = sharing(data, trial).split(Timestamp::UNIX_EPOCH, &mut rng, &mut |_| {}).unwrap();
    split.write([vec![], vec![], vec![]], &mut |_| {}).unwrap().map(|(bytes, digest)| {
        assert_eq!(digest, Digest::of_bytes(&bytes));
        bytes
    })
}

/// The header of a share file of two rows for a party.
pub(crate) fn any_header(party: PartyId) -> ShareHeader {
    let files = share(&data(2, 1), &TRIAL, 0);
    read(&files[party.index()]).unwrap().header().clone()
}

fn read(bytes: &[u8]) -> Result<ShareFile<Cursor<&[u8]>>, ShareFileError> {
    ShareFile::read(Cursor::new(bytes))
}

fn open(bytes: &[u8], trial: &Trial, reader: &Identity) -> Result<Submission, ShareFileError> {
    let checked = read(bytes)?.check(&trial.consortium, reader);
    let file = read(bytes)?;
    let words = file.header().data_set.words();
    let opened = file.open(&trial.consortium, reader, words);
    assert_eq!(checked.as_ref().err(), opened.as_ref().err(), "with and without the words");
    opened
}

fn refusal(bytes: &[u8], trial: &Trial, reader: &Identity) -> ShareFileError {
    open(bytes, trial, reader).expect_err("the file must be refused")
}

#[test]
fn three_parties_together_hold_the_data_and_agree_about_it() {
    let data = data(31, 5);
    let files = share(&data, &TRIAL, 1);
    let words = 31 * (5 + 2);
    let held: Vec<_> = files
        .iter()
        .zip(&TRIAL.parties)
        .map(|(file, party)| open(file, &TRIAL, party).unwrap())
        .collect();
    for (submission, party) in held.iter().zip(PartyId::ALL) {
        let header = submission.header();
        assert_eq!(header.party, party);
        assert_eq!(header.data_set.digest(), held[0].header().data_set.digest());
        assert_eq!((header.data_set.rows, header.data_set.words()), (31, words));
        assert_eq!((header.data_set.owner.as_str(), header.data_set.scale), ("hospital-a", 20));
    }
    let shares: Vec<_> = held.into_iter().map(Submission::into_components).collect();
    for party in 0..3 {
        assert_eq!(shares[party].1[..], shares[(party + 1) % 3].0[..], "replicated component");
    }
    for (at, expected) in data.words(DATA_SCALE).enumerate() {
        let sum = (0..3).fold(0u64, |sum, party| sum.wrapping_add(shares[party].0[at]));
        assert_eq!(sum, expected.unwrap());
    }
    let first_label = fixed::decode(
        (0..3).fold(0u64, |sum, party| sum.wrapping_add(shares[party].0[31 * 5])),
        DATA_SCALE,
    );
    assert_eq!(first_label, 1.0, "labels follow all features");
}

#[test]
fn party_zero_receives_seeds_only() {
    let files = share(&data(1000, 8), &TRIAL, 2);
    assert!(files[0].len() < 1500, "{} bytes", files[0].len());
    for file in &files[1..] {
        let overhead = file.len() - 8 * 1000 * 10;
        assert!(overhead < 1500, "{overhead} bytes");
    }
}

#[test]
fn sharing_twice_gives_unrelated_shares_and_ids() {
    let data = data(4, 2);
    let one = read(&share(&data, &TRIAL, 3)[0]).unwrap().header().data_set.clone();
    let two = read(&share(&data, &TRIAL, 4)[0]).unwrap().header().data_set.clone();
    assert_ne!(one.id, two.id);
    for component in 0..3 {
        assert_ne!(one.components[component], two.components[component]);
    }
    assert_ne!(one.digest(), two.digest());
}

#[test]
fn each_component_alone_looks_random_whatever_the_data() {
    let data = Encoded::new(Array2::zeros((4000, 3)), Array2::zeros((4000, 1))).unwrap();
    let files = share(&data, &TRIAL, 5);
    for (file, party) in files.iter().zip(&TRIAL.parties) {
        let (first, _) = open(file, &TRIAL, party).unwrap().into_components();
        let mut counts = [0f64; 256];
        first.iter().flat_map(|word| word.to_le_bytes()).for_each(|byte| {
            counts[usize::from(byte)] += 1.0;
        });
        let expected = (8 * first.len()) as f64 / 256.0;
        let chi_squared: f64 =
            counts.iter().map(|count| (count - expected).powi(2) / expected).sum();
        // 255 degrees of freedom: 400 is exceeded with probability below 1e-7.
        assert!(chi_squared < 400.0, "{chi_squared}");
    }
}

#[test]
fn the_commitment_to_the_words_depends_on_the_blind() {
    // Party 0 knows both seeds and may guess the data: the words alone must not
    // determine the commitment.
    let commitment = |blind: u64| {
        let mut words = WordHash::default();
        words.update(&7u64.to_le_bytes());
        Seed::random(&mut ChaCha20Rng::seed_from_u64(blind)).blinded(2, words)
    };
    assert_eq!(commitment(1), commitment(1));
    assert_ne!(commitment(1), commitment(2));
}

#[test]
fn the_header_is_readable_and_the_signature_verifiable_without_a_key() {
    let files = share(&data(3, 1), &TRIAL, 7);
    let file = read(&files[1]).unwrap();
    file.verify(&TRIAL.consortium).unwrap();
    file.require_schema(SCHEMA).unwrap();
    assert_eq!(file.digest(), Digest::of_bytes(&files[1]));
    let text = String::from_utf8_lossy(&files[1]);
    assert!(text.contains("\"owner\":\"hospital-a\"") && text.contains("1970-01-01T00:00:00Z"));
}

#[test]
fn a_file_cut_short_says_so() {
    let file = &share(&data(3, 2), &TRIAL, 8)[1];
    for length in 0..file.len() {
        let error = refusal(&file[..length], &TRIAL, &TRIAL.parties[1]);
        assert!(
            matches!(error, ShareFileError::Envelope(EnvelopeError::CutShort { .. })),
            "{length}: {error}"
        );
    }
    let mut long = file.clone();
    long.push(b'\n');
    let error = refusal(&long, &TRIAL, &TRIAL.parties[1]);
    assert_eq!(error.to_string(), "1 bytes follow the end of the sealed data");
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    for (party, file) in share(&data(2, 1), &TRIAL, 9).iter().enumerate() {
        for at in 0..file.len() {
            let mut altered = file.clone();
            altered[at] ^= 1 << (at % 8);
            let refused = open(&altered, &TRIAL, &TRIAL.parties[party]).is_err();
            assert!(refused, "byte {at} of the file of party {party}");
        }
    }
}

#[test]
fn a_file_for_another_party_is_refused_with_both_names() {
    let files = share(&data(2, 1), &TRIAL, 10);
    let error = refusal(&files[2], &TRIAL, &TRIAL.parties[0]);
    assert_eq!(error.to_string(), "the share file is meant for p2 (party 2), not for p0");
    let file = read(&files[2]).unwrap();
    assert!(file.require_recipient(&TRIAL.consortium, TRIAL.parties[2].card()).is_ok());
    assert!(file.require_recipient(&TRIAL.consortium, TRIAL.members[0].card()).is_err());
}

#[test]
fn another_schema_consortium_or_owner_is_refused() {
    let files = share(&data(2, 1), &TRIAL, 11);
    let error = read(&files[0]).unwrap().require_schema(Digest([4; 32])).unwrap_err();
    assert!(error.to_string().contains("made by another schema (digest 03030303"), "{error}");

    let other = trial();
    let error = read(&files[0]).unwrap().verify(&other.consortium).unwrap_err();
    assert!(matches!(error, ShareFileError::OtherConsortium { .. }), "{error}");

    let stranger = Sharing {
        data: &data(2, 1),
        schema: SCHEMA,
        name: "ward".parse().unwrap(),
        owner: &other.members[0],
        consortium: &TRIAL.consortium,
    };
    let mut rng = ChaCha20Rng::seed_from_u64(12);
    let refused = stranger.split(Timestamp::UNIX_EPOCH, &mut rng, &mut |_| {}).err().unwrap();
    assert_eq!(refused.to_string(), "hospital-a is not a member of the consortium 'trial'");
}

#[test]
fn a_member_cannot_submit_in_the_name_of_another() {
    let file = &share(&data(2, 1), &TRIAL, 13)[0];
    let mut header = read(file).unwrap().header().clone();
    header.data_set.owner = "hospital-b".parse().unwrap();
    let forged = resealed(&header, &[0; 64], &TRIAL.members[0]);
    let error = read(&forged).unwrap().verify(&TRIAL.consortium).unwrap_err();
    assert!(
        error.to_string().starts_with("the signature of hospital-b does not verify"),
        "{error}"
    );

    header.data_set.owner = "hospital-x".parse().unwrap();
    let forged = resealed(&header, &[0; 64], &TRIAL.members[0]);
    let error = read(&forged).unwrap().verify(&TRIAL.consortium).unwrap_err();
    assert_eq!(error, ShareFileError::UnknownOwner("hospital-x".parse().unwrap()));
}

/// A share file with this header and payload, properly sealed and signed.
fn resealed(header: &ShareHeader, payload: &[u8], signer: &Identity) -> Vec<u8> {
    let key = TRIAL.consortium.party(header.party).card.encryption_key();
    let length = payload.len() as u64;
    let mut sealer = Sealer::new(vec![], KIND, &header.to_json(), length, key).unwrap();
    sealer.write(payload).unwrap();
    sealer.finish(signer.signing_key()).unwrap().0
}

#[test]
fn an_owner_who_commits_to_other_components_is_named() {
    let file = &share(&data(2, 1), &TRIAL, 14)[0];
    let header = read(file).unwrap().header().clone();
    let forged = resealed(&header, &[0; 64], &TRIAL.members[0]);
    let error = refusal(&forged, &TRIAL, &TRIAL.parties[0]);
    assert_eq!(
        error.to_string(),
        "component 0 in the share file is not the one that hospital-a committed to"
    );
    let short = resealed(&header, &[0; 63], &TRIAL.members[0]);
    assert_eq!(read(&short).unwrap_err(), ShareFileError::Length { expected: 64, found: 63 });
}

#[test]
fn a_few_bytes_of_seeds_are_not_expanded_to_what_they_announce() {
    let file = &share(&data(2, 1), &TRIAL, 14)[0];
    let mut header = read(file).unwrap().header().clone();
    // A party could not allocate that.
    header.data_set.rows = MAX_WORDS / 4;
    (header.data_set.feature_columns, header.data_set.label_columns) = (3, 1);
    // Its seeds, which are those that were committed to, are not known here: only the header is.
    let huge = resealed(&header, &[0; 64], &TRIAL.members[0]);
    let refused = read(&huge).unwrap().open(&TRIAL.consortium, &TRIAL.parties[0], 6).unwrap_err();
    assert_eq!(refused, ShareFileError::Words { expected: 6, found: MAX_WORDS as usize });
    let refused = read(&huge).unwrap().check(&TRIAL.consortium, &TRIAL.parties[0]).unwrap_err();
    assert!(matches!(refused, ShareFileError::Commitment { component: 0, .. }), "{refused}");
}

#[test]
fn headers_with_impossible_shapes_are_refused() {
    let file = &share(&data(2, 1), &TRIAL, 15)[0];
    let good = read(file).unwrap().header().clone();
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let mut header = good.clone();
        change(&mut header.data_set);
        let json = header.to_json();
        ShareHeader::from_json(&json).unwrap_err()
    };
    assert!(refused(&|m| m.rows = 0).contains("no rows"));
    assert!(refused(&|m| m.rows = u64::MAX).contains("more than 4294967296 words"));
    assert!(refused(&|m| m.label_columns = u64::MAX).contains("more than"));
    assert!(refused(&|m| m.ring_bits = 32).contains("ring of 32 bits"));
    assert!(refused(&|m| m.scale = 61).contains("scale 61"));
    let json = String::from_utf8(good.to_json()).unwrap();
    for (from, to, reason) in [
        ("\"version\":1", "\"version\":2", "version 2 is unknown"),
        ("\"version\":1", "\"version\":1,\"extra\":0", "unknown field `extra`"),
        ("\"party\":0", "\"party\":3", "there is no party 3"),
        ("hospital-a", "../x", "is not a name"),
    ] {
        assert!(json.contains(from), "{from}");
        let error = ShareHeader::from_json(json.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
    assert!(ShareHeader::from_json(&[json.as_bytes(), b" x"].concat()).is_err(), "trailing bytes");
}

#[test]
fn a_number_without_a_word_stops_the_sharing() {
    let data = Encoded::new(ndarray::array![[0.5, f64::INFINITY]], ndarray::array![[1.0]]).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(16);
    let refused =
        sharing(&data, &TRIAL).split(Timestamp::UNIX_EPOCH, &mut rng, &mut |_| {}).err().unwrap();
    assert_eq!(refused.to_string(), "row 1, column 2 of the tensor: the value is infinite");
}

#[test]
fn progress_counts_every_word_twice() {
    let data = data(3000, 7);
    let mut rng = ChaCha20Rng::seed_from_u64(17);
    let sharing = sharing(&data, &TRIAL);
    let steps = sharing.steps();
    let mut done = 0;
    let split = sharing.split(Timestamp::UNIX_EPOCH, &mut rng, &mut |n| done += n).unwrap();
    assert_eq!(2 * done, steps);
    split.write([vec![], vec![], vec![]], &mut |n| done += n).unwrap();
    assert_eq!(done, steps);
}

#[test]
fn files_are_written_once_and_all_or_none() {
    let data = data(5, 2);
    let dir = tempfile::tempdir().unwrap();
    let write = |seed: u64, dir: &std::path::Path| {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let sharing = sharing(&data, &TRIAL);
        sharing
            .split(Timestamp::UNIX_EPOCH, &mut rng, &mut |_| {})
            .unwrap()
            .write_files(dir, &mut |_| {})
    };
    let shares = dir.path().join("new/shares");
    let written = write(1, &shares).unwrap();
    for (file, party) in written.iter().zip(PartyId::ALL) {
        let bytes = std::fs::read(&file.path).unwrap();
        assert_eq!(file.path, shares.join(format!("ward.party{}.tercet", party.index())));
        assert_eq!((file.digest, file.bytes), (Digest::of_bytes(&bytes), bytes.len() as u64));
        open(&bytes, &TRIAL, &TRIAL.parties[party.index()]).unwrap();
    }
    std::fs::remove_file(&written[0].path).unwrap();
    let refused = write(2, &shares).unwrap_err().to_string();
    assert!(refused.ends_with("ward.party1.tercet exists already"), "{refused}");
    assert_eq!(std::fs::read_dir(&shares).unwrap().count(), 2, "nothing was added");
}

/// A disk with room for so many bytes.
struct SmallDisk(usize);

impl std::io::Write for SmallDisk {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = self.0.checked_sub(bytes.len()).ok_or(std::io::ErrorKind::StorageFull)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_is_told_as_such() {
    let data = data(500, 3);
    for room in [0, 1000, 10_000, 19_000] {
        let mut rng = ChaCha20Rng::seed_from_u64(20);
        let sharing = sharing(&data, &TRIAL);
        let split = sharing.split(Timestamp::UNIX_EPOCH, &mut rng, &mut |_| {}).unwrap();
        let disks = [SmallDisk(usize::MAX), SmallDisk(room), SmallDisk(usize::MAX)];
        let error = split.write(disks, &mut |_| {}).err().expect("the second file does not fit");
        assert!(error.hint().unwrap().contains("free some space"), "{error}");
    }
}

#[test]
fn secrets_are_not_printed() {
    let file = &share(&data(2, 1), &TRIAL, 18)[1];
    let shown = format!("{:?}", open(file, &TRIAL, &TRIAL.parties[1]).unwrap());
    assert!(shown.contains("components: [Words(6 secret)"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_altered_file_panics_or_opens(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 1..=255u8), 1..8),
        cut in any::<prop::sample::Index>(),
        shorten: bool,
    ) {
        static FILE: LazyLock<Vec<u8>> =
            LazyLock::new(|| share(&data(2, 1), &TRIAL, 19)[1].clone());
        let mut altered = FILE.clone();
        for (at, flip) in edits {
            let at = at.index(altered.len());
            altered[at] ^= flip;
        }
        if shorten {
            altered.truncate(cut.index(altered.len()));
        }
        prop_assume!(altered != *FILE);
        prop_assert!(open(&altered, &TRIAL, &TRIAL.parties[1]).is_err());
    }

    #[test]
    fn no_header_panics(text in "[\\[\\]{}\",:a-z0-9]{0,200}") {
        let _ = ShareHeader::from_json(text.as_bytes());
    }
}
