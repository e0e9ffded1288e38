use super::*;
use crate::control::EpochFigures;
use crate::digest::Digest;
use crate::envelope::EnvelopeError;
use crate::job::Security;
use crate::model::{ModelShare, TensorTerms, blueprint, tensors};
use crate::schema::Schema;
use crate::session::DataSetDigest;
use crate::sharefile::DataSetId;
use crate::sharefile::tests::TRIAL;
use mpc_core::net::SessionId;
use nn::spec::{Metric, Spec};
use nn::validation::Figure;
use zeroize::Zeroizing;

const SCALE: u32 = 16;

const SCHEMA: &str = r#"
    version = 1
    [label]
    kind = "class"
    name = "y"
    classes = ["no", "yes"]
    [[columns]]
    kind = "numeric"
    name = "age"
    min = 0.0
    max = 100.0
    [[columns]]
    kind = "numeric"
    name = "dose"
    min = 0.0
    max = 5.0
"#;

const SPEC: &str = r#"
    [model]
    layers = [{ dense = 3 }, "relu", { dense = "outputs" }]
    loss = "softmax-cross-entropy"
    [training]
    epochs = 2
    batch = 8
    learning_rate = 0.1
"#;

fn terms() -> Terms {
    let (schema, spec) = (Schema::from_toml(SCHEMA).unwrap(), Spec::from_toml(SPEC).unwrap());
    let blueprint = blueprint(&spec, &schema, 40).unwrap();
    let tensor = |t: crate::model::TensorShape| TensorTerms {
        name: t.name,
        rows: t.rows as u64,
        columns: t.columns as u64,
        scale: SCALE,
    };
    Terms {
        job_name: "trial".into(),
        job: Digest([1; 32]),
        agreement: Digest([2; 32]),
        consortium: TRIAL.consortium.digest(),
        code: "0.1.0".into(),
        schema: schema.digest(),
        schema_file: schema.to_toml(),
        security: Security::SemiHonest,
        session: SessionId([3; 16]),
        transcript: Digest([4; 32]),
        receiver: receiver().name().clone(),
        data: vec![DataSetDigest {
            id: DataSetId([5; 16]),
            owner: receiver().name().clone(),
            manifest: Digest([6; 32]),
        }],
        rows: 40,
        spec,
        figures: Vec::new(),
        start: None,
        tensors: tensors(blueprint.layers()).into_iter().map(tensor).collect(),
    }
}

fn receiver() -> &'static Identity {
    &TRIAL.members[0]
}

/// The values of the model: 3x2 and 1x3, 2x3 and 1x2 numbers.
pub(in crate::model) fn values() -> Vec<Vec<f64>> {
    let mut next = 0;
    [6, 3, 6, 2]
        .map(|count| {
            let tensor = (next..next + count).map(|i| f64::from(i) * 0.25 - 2.0);
            next += count;
            tensor.collect()
        })
        .to_vec()
}

/// The components `x_0, x_1, x_2` of the values.
fn components() -> [Vec<u64>; 3] {
    let words = values().concat().into_iter().map(|x| fixed::encode(x, SCALE).unwrap());
    let mask = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let x0: Vec<u64> = (0..17).map(mask).collect();
    let x1: Vec<u64> = (0..17).map(|i| mask(i + 99)).collect();
    let x2 = words.zip(x0.iter().zip(&x1)).map(|(x, (a, b))| x.wrapping_sub(*a).wrapping_sub(*b));
    [x0.clone(), x1.clone(), x2.collect()]
}

fn seal(party: PartyId, terms: Terms, first: Vec<u64>, second: Vec<u64>) -> Vec<u8> {
    let share = ModelShare { terms, first: Zeroizing::new(first), second: Zeroizing::new(second) };
    share.seal(party, &TRIAL.parties[party.index()], receiver().card()).unwrap()
}

/// Sealed shares whose terms were edited at each party.
fn sealed_with(edit: impl Fn(PartyId, &mut Terms)) -> [Vec<u8>; 3] {
    let components = components();
    PartyId::ALL.map(|party| {
        let mut terms = terms();
        edit(party, &mut terms);
        let [first, second] = [party, party.next()].map(|p| components[p.index()].clone());
        seal(party, terms, first, second)
    })
}

fn sealed() -> [Vec<u8>; 3] {
    sealed_with(|_, _| {})
}

fn open(sealed: &[Vec<u8>; 3]) -> Result<OpenedModel, OpenError> {
    open_shares(sealed.each_ref().map(Vec::as_slice), &TRIAL.consortium, receiver(), |_| None)
}

pub(in crate::model) fn opened() -> OpenedModel {
    open(&sealed()).unwrap()
}

fn refusal(sealed: &[Vec<u8>; 3]) -> OpenError {
    open(sealed).err().expect("the shares must be refused")
}

#[test]
fn three_honest_shares_give_the_model() {
    let opened = opened();
    assert_eq!(opened.tensors, values());
    assert_eq!(opened.terms, terms());
    let names = opened.contributions.map(|contribution| contribution.name.to_string());
    assert_eq!(names, ["p0", "p1", "p2"]);
}

#[test]
fn a_flipped_bit_names_the_party() {
    for party in PartyId::ALL {
        let mut sealed = sealed();
        let middle = sealed[party.index()].len() / 2;
        sealed[party.index()][middle] ^= 1;
        assert!(matches!(
            refusal(&sealed),
            OpenError::Share {
                party: named,
                source: ModelShareError::Envelope(EnvelopeError::Signature(_))
            } if named == party
        ));
    }
}

#[test]
fn shares_cannot_change_places_or_stand_twice() {
    let mut swapped = sealed();
    swapped.swap(0, 1);
    let signed_by_another = |party| OpenError::Share {
        party,
        source: ModelShareError::Envelope(EnvelopeError::Signature(format!("p{}", party.index()))),
    };
    assert_eq!(refusal(&swapped), signed_by_another(PartyId::P0));
    let [a, _, c] = sealed();
    assert_eq!(refusal(&[a.clone(), a, c]), signed_by_another(PartyId::P1));
}

#[test]
fn a_party_cannot_speak_for_another() {
    let [first, second, _] = components();
    let share =
        ModelShare { terms: terms(), first: Zeroizing::new(first), second: Zeroizing::new(second) };
    let forged = share.seal(PartyId::P0, &TRIAL.parties[1], receiver().card()).unwrap();
    let [a, _, c] = sealed();
    assert!(matches!(
        refusal(&[a, forged, c]),
        OpenError::Share { party: PartyId::P1, source: ModelShareError::OtherParty { .. } }
    ));
}

#[test]
fn the_share_of_another_job_session_or_data_set_is_named() {
    type Edit = fn(&mut Terms);
    let edits: [(&str, Edit); 8] = [
        ("job", |t| t.job = Digest([9; 32])),
        ("session", |t| t.session = SessionId([9; 16])),
        ("list of data sets", |t| t.data[0].manifest = Digest([9; 32])),
        ("agreement", |t| t.agreement = Digest([9; 32])),
        ("network", |t| t.tensors[0].scale += 1),
        ("figures", |t| {
            let figures = vec![Figure { metric: Metric::Auc, values: vec![0.9] }];
            t.figures.push(EpochFigures { epoch: 1, last: true, figures });
        }),
        ("transcript", |t| t.transcript = Digest([9; 32])),
        ("schema", |t| t.schema_file.push('\n')),
    ];
    for (expected, edit) in edits {
        for party in PartyId::ALL {
            let sealed = sealed_with(|at, terms| {
                if at == party {
                    edit(terms);
                }
            });
            assert_eq!(refusal(&sealed), OpenError::Terms { party, what: expected });
        }
    }
    let all_differ = sealed_with(|party, terms| terms.rows += party.index() as u64);
    assert_eq!(refusal(&all_differ), OpenError::AllDiffer("list of data sets"));
}

#[test]
fn a_share_that_was_altered_before_sealing_gives_no_model() {
    for (party, at_second) in PartyId::ALL.into_iter().flat_map(|p| [(p, false), (p, true)]) {
        let components = components();
        let mut held = [party, party.next()].map(|p| components[p.index()].clone());
        held[usize::from(at_second)][5] ^= 1 << 63;
        let [first, second] = held;
        let mut sealed = sealed();
        sealed[party.index()] = seal(party, terms(), first, second);
        let holders = if at_second { (party, party.next()) } else { (party.prev(), party) };
        let (first, second) = holders;
        assert_eq!(refusal(&sealed), OpenError::Copies { first, second });
    }
}

#[test]
fn only_the_receiver_can_open() {
    let sealed = sealed();
    let other = open_shares(
        sealed.each_ref().map(Vec::as_slice),
        &TRIAL.consortium,
        &TRIAL.members[1],
        |_: &Terms| None,
    );
    assert!(matches!(
        other.err(),
        Some(OpenError::Share {
            source: ModelShareError::Envelope(EnvelopeError::NotForThisKey),
            ..
        })
    ));
}

#[test]
fn another_model_than_the_one_asked_for_is_refused() {
    let sealed = sealed();
    let asked = |terms: &Terms| (terms.job != Digest([9; 32])).then_some("job");
    let opened =
        open_shares(sealed.each_ref().map(Vec::as_slice), &TRIAL.consortium, receiver(), asked);
    assert_eq!(opened.err(), Some(OpenError::NotAskedFor("job")));
}

#[test]
fn sizes_that_do_not_fit_the_payload_are_refused() {
    let sizes: [fn(&mut Terms); 4] = [
        |t| t.tensors[0].rows = u64::MAX,
        |t| t.tensors[0].columns = 1 << 40,
        |t| t.tensors.truncate(1),
        |t| t.tensors[0].scale = 64,
    ];
    for edit in sizes {
        let mut terms = terms();
        edit(&mut terms);
        let [first, second, _] = components();
        let share =
            ModelShare { terms, first: Zeroizing::new(first), second: Zeroizing::new(second) };
        let sealed = share.seal(PartyId::P0, &TRIAL.parties[0], receiver().card());
        let refused = match sealed {
            Err(e) => e,
            Ok(sealed) => {
                let card = TRIAL.parties[0].card();
                ModelShare::open(&sealed, PartyId::P0, card, receiver()).unwrap_err()
            }
        };
        assert!(matches!(refused, ModelShareError::Payload(_)), "{refused}");
    }
}
