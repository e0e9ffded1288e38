use super::*;
use crate::approval::Approval;
use crate::control::{FaultKind, SessionEnd, SessionFault};
use crate::digest::Digest;
use crate::identity::{Identity, Role, Validity};
use crate::job::Job;
use crate::schema::Schema;
use crate::sharefile::DataSetId;
use crate::sharefile::tests::TRIAL;
use jiff::Timestamp;
use mpc_core::net::SessionId;
use std::io::Read;
use std::os::unix::fs::symlink;

fn card(name: &str) -> Card {
    let validity = Validity::days_from_now(9);
    Identity::generate(name.parse().unwrap(), Role::Party, validity).unwrap().card().clone()
}

struct Fixture {
    dir: tempfile::TempDir,
    card: Card,
}

impl Fixture {
    fn new() -> Self {
        Fixture { dir: tempfile::tempdir().unwrap(), card: card("p0") }
    }

    fn open(&self) -> Store {
        Store::open(self.dir.path(), &self.card).unwrap()
    }

    fn files(&self, part: &str) -> usize {
        fs::read_dir(self.dir.path().join(part)).unwrap().count()
    }
}

fn submission(id: u8, content: &[u8]) -> StoredSubmission {
    StoredSubmission {
        id: DataSetId([id; 16]),
        owner: "hospital-a".parse().unwrap(),
        schema: Digest([1; 32]),
        rows: 5,
        file: Digest::of_bytes(content),
        manifest: Digest([2; 32]),
        receipt: b"receipt".to_vec(),
        received: Timestamp::UNIX_EPOCH,
    }
}

fn upload(store: &Store, content: &[u8]) -> Incoming {
    let owner = "hospital-a".parse().unwrap();
    let digest = Digest::of_bytes(content);
    let mut incoming = store.incoming(&owner, &digest, content.len() as u64).unwrap();
    let done = incoming.received() as usize;
    incoming.append(&content[done..]).unwrap();
    assert_eq!(incoming.complete().unwrap(), digest);
    incoming
}

fn read(store: &Store, submission: &StoredSubmission) -> Vec<u8> {
    let mut bytes = Vec::new();
    store.share_file(submission).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn an_accepted_submission_is_there_after_a_restart() {
    let fixture = Fixture::new();
    let content = b"shares".repeat(1000);
    let made = submission(1, &content);
    {
        let store = fixture.open();
        store.accept(upload(&store, &content), &made).unwrap();
    }
    let store = fixture.open();
    assert_eq!(store.submission(made.id).unwrap(), Some(made.clone()));
    assert_eq!(store.submissions(&made.schema).unwrap(), std::slice::from_ref(&made));
    assert_eq!(store.submissions(&Digest([7; 32])).unwrap(), []);
    assert_eq!(read(&store, &made), content);
    assert_eq!(store.count_submissions().unwrap(), 1);
    assert_eq!(fixture.files("incoming"), 0);
}

#[test]
fn leftovers_of_a_crash_are_removed_at_start() {
    let fixture = Fixture::new();
    let kept = submission(1, b"kept");
    {
        let store = fixture.open();
        store.accept(upload(&store, b"kept"), &kept).unwrap();
        upload(&store, b"under way");
    }
    // As if the process died between the renaming and the row.
    fs::write(fixture.dir.path().join("submissions/orphan.share"), b"x").unwrap();
    fs::write(fixture.dir.path().join("models/orphan.model"), b"x").unwrap();
    let store = fixture.open();
    assert_eq!((fixture.files("incoming"), fixture.files("submissions")), (0, 1));
    assert_eq!(fixture.files("models"), 0);
    assert_eq!(read(&store, &kept), b"kept");
}

#[test]
fn files_without_their_database_are_not_removed() {
    let fixture = Fixture::new();
    {
        let store = fixture.open();
        store.accept(upload(&store, b"kept"), &submission(1, b"kept")).unwrap();
    }
    fs::remove_file(fixture.dir.path().join("node.db")).unwrap();
    for _ in 0..2 {
        let refused = Store::open(fixture.dir.path(), &fixture.card);
        assert!(matches!(refused, Err(StoreError::NoDatabase(_))));
        assert_eq!(fixture.files("submissions"), 1);
    }
}

#[test]
fn an_upload_goes_on_where_it_was_interrupted() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let owner = "hospital-a".parse().unwrap();
    let digest = Digest::of_bytes(b"0123456789");
    let mut first = store.incoming(&owner, &digest, 10).unwrap();
    first.append(b"0123").unwrap();
    drop(first);
    let mut second = store.incoming(&owner, &digest, 10).unwrap();
    assert_eq!(second.received(), 4);
    assert!(second.append(b"too much").is_err());
    second.append(b"456789").unwrap();
    assert!(second.is_complete());
    assert_eq!(second.complete().unwrap(), digest);

    store.incoming(&owner, &Digest([0; 32]), 10).unwrap();
    assert_eq!(fixture.files("incoming"), 1, "an owner has one unfinished upload");
}

#[test]
fn a_full_disk_is_told_and_nothing_is_kept() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let owner = "hospital-a".parse().unwrap();
    let digest = Digest([4; 32]);
    let too_much = store.free_bytes().saturating_add(1);
    assert!(store.incoming(&owner, &digest, too_much).unwrap_err().is_full());

    // The kernel reports a full disk for every write to /dev/full.
    let part = fixture.dir.path().join(format!("incoming/hospital-a.{digest}.part"));
    symlink("/dev/full", &part).unwrap();
    let mut incoming = store.incoming(&owner, &digest, 0).unwrap();
    incoming.length = 10;
    let error = incoming.append(b"0123456789").unwrap_err();
    assert!(error.is_full(), "{error}");
    incoming.discard();
    assert_eq!(fixture.files("incoming"), 0);
    assert_eq!(store.count_submissions().unwrap(), 0);
}

#[test]
fn a_second_submission_of_an_id_is_refused_and_the_first_stays() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let made = submission(1, b"shares");
    store.accept(upload(&store, b"shares"), &made).unwrap();
    assert!(store.accept(upload(&store, b"other"), &submission(1, b"other")).is_err());
    assert!(store.accept(upload(&store, b"shares"), &made).is_err());
    assert_eq!(store.submission_of_file(&made.file).unwrap(), Some(made.clone()));
    assert_eq!(read(&store, &made), b"shares");
    assert_eq!((fixture.files("incoming"), fixture.files("submissions")), (0, 1));
}

#[test]
fn a_second_node_and_another_party_are_kept_out() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let second = Store::open(fixture.dir.path(), &fixture.card);
    assert!(matches!(second, Err(StoreError::InUse(_))));
    drop(store);
    let other = Store::open(fixture.dir.path(), &card("p1"));
    assert!(matches!(other, Err(StoreError::OtherNode { .. })));
}

fn new_session(session: SessionId) -> NewSession {
    NewSession {
        session,
        job: Digest([5; 32]),
        job_name: "job".into(),
        client: "analyst".parse().unwrap(),
        receiver: "hospital-a".parse().unwrap(),
    }
}

#[test]
fn a_session_id_is_used_once_and_a_crash_ends_it() {
    let fixture = Fixture::new();
    let session = SessionId([7; 16]);
    {
        let store = fixture.open();
        store.begin_session(&new_session(session)).unwrap();
        assert_eq!(store.session(session).unwrap().unwrap().end, None);
    }
    let store = fixture.open();
    assert!(matches!(store.begin_session(&new_session(session)), Err(StoreError::SessionUsed(_))));
    let end = store.session(session).unwrap().unwrap().end;
    assert!(matches!(
        end,
        Some(SessionEnd::Failed(SessionFault { kind: FaultKind::Internal, .. }))
    ));
    assert_eq!(store.session(SessionId([8; 16])).unwrap(), None);
}

#[test]
fn the_id_of_an_aborted_session_is_not_used_again_after_a_restart() {
    let fixture = Fixture::new();
    let session = SessionId([9; 16]);
    let fault = SessionFault::new(FaultKind::Abort, None, "aborted at step epoch-1");
    let end = SessionEnd::Failed(fault);
    {
        let store = fixture.open();
        store.begin_session(&new_session(session)).unwrap();
        store.end_session(session, &end).unwrap();
        let again = store.begin_session(&new_session(session));
        assert!(matches!(again, Err(StoreError::SessionUsed(_))));
    }
    let store = fixture.open();
    let again = store.begin_session(&new_session(session));
    assert!(matches!(again, Err(StoreError::SessionUsed(_))));
    assert_eq!(store.session(session).unwrap().unwrap().end, Some(end));
}

#[test]
fn only_finished_sessions_offer_a_model() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let [finished, cancelled] = [SessionId([1; 16]), SessionId([2; 16])];
    for session in [finished, cancelled] {
        store.begin_session(&new_session(session)).unwrap();
    }
    store.end_session(cancelled, &SessionEnd::Cancelled { step: "epoch-0".into() }).unwrap();
    let end = SessionEnd::Finished(crate::control::SessionStats {
        seconds: 1.5,
        iterations: 3,
        traffic: Default::default(),
        peak_rss_bytes: 1,
        pid: 2,
        transcript: Digest([3; 32]),
    });
    store.finish_session(finished, &end, b"model share").unwrap();
    let listed = store.finished_sessions(&Digest([5; 32])).unwrap();
    assert_eq!(listed.iter().map(|found| found.session).collect::<Vec<_>>(), [finished]);
    assert_eq!(store.model_share(finished).unwrap(), b"model share");
    assert!(store.model_share(cancelled).is_err());
    drop(store);
    assert_eq!(fixture.open().session(finished).unwrap().unwrap().end, Some(end));
}

#[test]
fn a_block_of_triples_is_taken_once_also_after_a_crash() {
    let fixture = Fixture::new();
    let stock = Digest([7; 32]);
    let store = fixture.open();
    for number in [0, 1, 2, 5] {
        store.add_block(&stock, number, &[number as u8; 9]).unwrap();
    }
    let here = store.stock(&stock).unwrap();
    assert_eq!((here.next, here.blocks), (6, vec![(0, 3), (5, 6)]));
    assert_eq!(store.take_block(&stock, 1).unwrap(), [1; 9]);
    let again = store.take_block(&stock, 1).unwrap_err();
    assert!(matches!(again, StoreError::NoBlock { number: 1, .. }), "{again}");

    // A crash between the mark and the use: the row is gone, the file is not.
    let file = fixture.dir.path().join("triples").join(format!("{stock}-2.triples"));
    let kept = fs::read(&file).unwrap();
    store.take_block(&stock, 2).unwrap();
    fs::write(&file, kept).unwrap();
    drop(store);
    let store = fixture.open();
    assert!(!file.exists(), "it is removed at start");
    assert!(matches!(store.take_block(&stock, 2), Err(StoreError::NoBlock { .. })));
    assert_eq!(store.stock(&stock).unwrap().blocks, [(0, 1), (5, 6)]);
    assert_eq!(fixture.files("triples"), 2);
}

#[test]
fn a_number_of_a_block_is_never_given_twice() {
    let fixture = Fixture::new();
    let (stock, other) = (Digest([7; 32]), Digest([8; 32]));
    let store = fixture.open();
    store.add_block(&stock, 3, b"made").unwrap();
    store.take_block(&stock, 3).unwrap();
    store.add_block(&stock, 4, b"kept").unwrap();
    for number in [0, 3, 4] {
        let refused = store.add_block(&stock, number, b"again").unwrap_err().to_string();
        assert!(refused.contains("given before"), "{refused}");
    }
    drop(store);
    let store = fixture.open();
    assert_eq!(fixture.files("triples"), 1, "what was refused leaves no file behind");
    assert_eq!(store.take_block(&stock, 4).unwrap(), b"kept");
    assert_eq!(store.stock(&stock).unwrap().next, 5);
    assert_eq!(store.stock(&other).unwrap().next, 0);
    store.add_block(&other, 0, b"other").unwrap();
    store.add_block(&stock, 5, b"more").unwrap();
    assert!(store.add_block(&stock, u64::MAX, b"beyond").is_err());
    assert_eq!(store.take_block(&other, 0).unwrap(), b"other");
}

#[test]
fn a_directory_of_an_earlier_layout_gets_what_it_lacks() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let database = Connection::open(fixture.dir.path().join("node.db")).unwrap();
    database
        .execute_batch(
            "DROP TABLE stocks; DROP TABLE blocks; DROP TABLE approvals; PRAGMA user_version = 1",
        )
        .unwrap();
    drop(database);
    let store = fixture.open();
    store.add_block(&Digest([7; 32]), 0, b"block").unwrap();
    drop(store);
    let database = Connection::open(fixture.dir.path().join("node.db")).unwrap();
    database.execute_batch("DROP TABLE approvals; PRAGMA user_version = 2").unwrap();
    drop(database);
    assert!(!fixture.open().is_approved(&"hospital-a".parse().unwrap(), &Digest([7; 32])).unwrap());
}

#[test]
fn of_two_statements_on_a_job_the_later_one_counts_also_after_a_restart() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let job = Job::from_toml(crate::job::tests::JOB, "job.toml").unwrap();
    let schema = Schema::from_toml(crate::job::tests::SCHEMA).unwrap();
    let [owner, other] = &TRIAL.members;
    let statement = |granted, second| {
        let signed = Timestamp::from_second(second).unwrap();
        Approval::sign((&job, &schema), &TRIAL.consortium, owner, granted, signed)
    };
    let (first, withdrawn) = (statement(true, 10), statement(false, 20));
    let approved = |store: &Store| store.is_approved(owner.name(), &first.job).unwrap();
    assert!(!approved(&store));
    let keep = |statement: &Approval| store.keep_approval(statement).unwrap();
    assert_eq!([keep(&first), keep(&first)], [Keeping::Kept; 2]);
    assert!(approved(&store));
    assert!(!store.is_approved(other.name(), &first.job).unwrap());
    assert!(!store.is_approved(owner.name(), &Digest([1; 32])).unwrap());
    assert_eq!(keep(&withdrawn), Keeping::Kept);
    assert_eq!(keep(&first), Keeping::Outdated, "a replay undoes nothing");
    assert!(!approved(&store));
    drop(store);
    let store = fixture.open();
    assert!(!approved(&store));
    assert_eq!(store.keep_approval(&statement(true, 30)).unwrap(), Keeping::Kept);
    assert!(approved(&store));
}

#[test]
fn a_member_can_speak_of_so_many_jobs_and_of_those_at_any_time() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let schema = Schema::from_toml(crate::job::tests::SCHEMA).unwrap();
    let [owner, other] = &TRIAL.members;
    let keep = |name: &str, by, second| {
        let job = crate::job::tests::JOB.replace("readmission", name);
        let job = Job::from_toml(&job, "job.toml").unwrap();
        let signed = Timestamp::from_second(second).unwrap();
        let statement = Approval::sign((&job, &schema), &TRIAL.consortium, by, true, signed);
        store.keep_approval_of(&statement, 2).unwrap()
    };
    assert_eq!([keep("first", owner, 1), keep("second", owner, 2)], [Keeping::Kept; 2]);
    assert_eq!(keep("third", owner, 3), Keeping::TooMany { most: 2 });
    assert_eq!(keep("second", owner, 4), Keeping::Kept);
    assert_eq!(keep("third", other, 5), Keeping::Kept, "others are not kept from it");
}

#[test]
fn a_kept_model_is_not_replaced_and_rows_that_asked_are_forgotten() {
    let fixture = Fixture::new();
    let id = crate::inference::ModelId([7; 16]);
    {
        let store = fixture.open();
        assert_eq!(store.kept_model(id).unwrap(), None);
        store.keep_model(id, b"mine").unwrap();
        assert!(matches!(
            store.keep_model(id, b"other"),
            Err(StoreError::File(FileError::Exists(_)))
        ));
        let made = submission(3, b"rows");
        store.accept(upload(&store, b"rows"), &made).unwrap();
        store.remove_submission(made.id).unwrap();
        store.remove_submission(made.id).unwrap();
    }
    let store = fixture.open();
    assert_eq!(store.kept_model(id).unwrap().as_deref(), Some(&b"mine"[..]));
    assert_eq!((store.count_submissions().unwrap(), fixture.files("submissions")), (0, 0));
}
