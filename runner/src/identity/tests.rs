use super::*;
use std::fs;
use std::os::unix::fs::PermissionsExt;

fn identity() -> Identity {
    let name = "hospital-a".parse().unwrap();
    Identity::generate(name, Role::Member, Validity::days_from_now(30)).unwrap()
}

#[test]
fn a_saved_identity_loads_again_and_its_card_verifies() {
    let dir = tempfile::tempdir().unwrap();
    let made = identity();
    let files = made.save_new(dir.path()).unwrap();
    let loaded = Identity::load(&files.key).unwrap();
    assert_eq!(loaded.card(), made.card());
    assert_eq!(loaded.signing_key(), made.signing_key());
    assert_eq!(loaded.decryption_key().as_bytes(), made.decryption_key().as_bytes());
    assert_eq!(loaded.tls_key, made.tls_key);
    assert_eq!(&Card::load(&files.card).unwrap(), made.card());
}

#[test]
fn nothing_is_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    identity().save_new(dir.path()).unwrap();
    let again = identity().save_new(dir.path());
    assert!(matches!(again, Err(IdentityError::File(FileError::Exists(_)))));
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let key = identity().save_new(dir.path()).unwrap().key;
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o604)).unwrap();
    let refused = Identity::load(&key);
    assert!(matches!(refused, Err(IdentityError::File(FileError::Exposed { .. }))));
}

#[test]
fn a_card_in_place_of_a_key_file_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let card = identity().save_new(dir.path()).unwrap().card;
    assert!(matches!(Identity::load(&card), Err(IdentityError::PublicCard(path)) if path == card));
}

#[test]
fn an_altered_card_is_refused_and_names_its_holder() {
    let card = identity().card().clone();
    let other = identity().card().clone();
    let text = card.to_toml();
    let swapped_encryption =
        text.replace(&hex::encode(card.encryption_key()), &hex::encode(other.encryption_key()));
    assert!(refusal(&swapped_encryption).contains("hospital-a: the signature of the card"));
    let fingerprint = card.certificate().fingerprint().to_string();
    let wrong_fingerprint = text.replace(&fingerprint, &"0".repeat(64));
    assert!(refusal(&wrong_fingerprint).contains("has fingerprint"));
    let renamed = text.replace("name = \"hospital-a\"", "name = \"hospital-b\"");
    assert!(refusal(&renamed).contains("hospital-b: the signature of the card"));
    let short_key = text.replace(&hex::encode(card.encryption_key()), "abcd");
    assert!(refusal(&short_key).contains("`encryption-key`"));
}

fn refusal(card: &str) -> String {
    toml::from_str::<Card>(card).expect_err("the card was altered").to_string()
}

#[test]
fn a_key_file_whose_keys_do_not_match_its_card_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let made = identity();
    let key = made.save_new(dir.path()).unwrap().key;
    let text = fs::read_to_string(&key).unwrap();
    let foreign = identity();
    let altered = text.replace(
        &hex::encode(made.signing_key().as_bytes()),
        &hex::encode(foreign.signing_key().as_bytes()),
    );
    fs::write(&key, altered).unwrap();
    assert!(matches!(Identity::load(&key), Err(IdentityError::Field { field: "signing-key", .. })));
}

#[test]
fn a_damaged_key_file_is_refused_without_quoting_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let made = identity();
    let key = made.save_new(dir.path()).unwrap().key;
    let secret = hex::encode(made.signing_key().as_bytes());
    let text = fs::read_to_string(&key).unwrap();
    fs::write(&key, text.replace(&format!("\"{secret}\""), &secret)).unwrap();
    let message = Identity::load(&key).unwrap_err().to_string();
    assert!(!message.contains(&secret[..16]), "{message}");
}

#[test]
fn renewal_keeps_the_identity_and_changes_the_certificate() {
    let dir = tempfile::tempdir().unwrap();
    let mut identity = identity();
    let key = identity.save_new(dir.path()).unwrap().key;
    let before = identity.card().clone();
    identity.renew_certificate(Validity::days_from_now(60)).unwrap();
    identity.save_renewed(&key).unwrap();
    let after = Identity::load(&key).unwrap();
    assert!(after.card().same_identity(&before));
    assert_ne!(after.card().certificate().fingerprint(), before.certificate().fingerprint());
}

#[test]
fn debug_output_withholds_the_keys() {
    let identity = identity();
    let shown = format!("{identity:?}");
    assert!(!shown.contains(&hex::encode(identity.signing_key().as_bytes())));
    assert_eq!(shown, "Identity(\"hospital-a\", keys withheld)".replace('"', ""));
}
