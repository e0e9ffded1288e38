//! Which jobs are taken, and which are refused.

use super::*;

pub(crate) const JOB: &str = r#"
        name = "readmission"
        receiver = "analyst"
        [data]
        schema = "schema.toml"
        from = ["hospital-b", "hospital-a"]
        [model]
        layers = [{ dense = 8 }, "relu", { dense = "outputs" }]
        loss = "softmax-cross-entropy"
        [training]
        epochs = 2
        batch = 16
        learning_rate = 0.1
    "#;

pub(crate) const SCHEMA: &str = r#"
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
    "#;

fn job(text: &str) -> Job {
    Job::from_toml(text, "job.toml").unwrap()
}

fn refusal(text: &str) -> String {
    Job::from_toml(text, "job.toml").unwrap_err().to_string()
}

#[test]
fn defaults_are_the_careful_ones_and_the_file_is_reversible() {
    let job = job(JOB);
    assert_eq!(job.security(), Security::Malicious);
    assert_eq!(job.check_inputs(), CheckInputs::Labels);
    assert_eq!(job.reveal, model_only());
    assert_eq!(self::job(&job.to_toml()), job);
}

#[test]
fn a_model_that_the_parties_keep_need_not_be_released() {
    let job = job(&format!("reveal = []\n{JOB}\n[inference]\nmembers = [\"ward\"]"));
    assert!(!job.releases_model() && job.inference().is_some());
    assert_eq!(self::job(&job.to_toml()), job);
}

#[test]
fn the_digest_is_of_the_content() {
    let schema = Schema::from_toml(SCHEMA).unwrap();
    let base = job(JOB).digest(&schema);
    let same = JOB
        .replace("\"hospital-b\", \"hospital-a\"", "\"hospital-a\", \"hospital-b\"")
        .replace("\"schema.toml\"", "\"other/place.toml\" # comment");
    assert_eq!(job(&same).digest(&schema), base);
    for (old, new) in [
        ("readmission", "other"),
        ("\"analyst\"", "\"hospital-a\""),
        ("epochs = 2", "epochs = 3"),
        ("dense = 8", "dense = 9"),
        ("\"hospital-b\", ", ""),
        ("[data]", "check_inputs = \"all\"\n[data]"),
        ("[data]", "[inference]\n[data]"),
        ("[data]", "[inference]\nfine_tune = true\n[data]"),
    ] {
        assert_ne!(job(&JOB.replace(old, new)).digest(&schema), base, "{new}");
    }
    let other = Schema::from_toml(&SCHEMA.replace("100.0", "120.0")).unwrap();
    assert_ne!(job(JOB).digest(&other), base);
    let start = |id: char| {
        let id: String = [id; 32].iter().collect();
        let text = format!("start = \"{id}\"\n{JOB}\n[features]\nscaling = \"none\"");
        job(&text).digest(&schema)
    };
    assert_ne!(start('1'), start('2'));
}

#[test]
fn mistakes_are_named() {
    assert!(refusal(&JOB.replace("epochs = 2", "epochs = 0")).contains("training.epochs"));
    assert!(refusal(&JOB.replace("[data]", "surprise = 1\n[data]")).contains("surprise"));
    assert!(refusal(&format!("reveal = []\n{JOB}")).contains("reveal"));
    let numbers = format!("{JOB}\n[inference]\nanswer = \"numbers\"");
    assert!(refusal(&numbers).contains("inference.answer"));
    let both = JOB.replace("[model]", "sets = [\"00112233445566778899aabbccddeeff\"]\n[model]");
    assert!(refusal(&both).contains("not both"));
    let figures = |reveal: &str, metrics: &str| {
        format!("reveal = {reveal}\n{JOB}[validation]\nfraction = 0.2\nmetrics = {metrics}")
    };
    assert!(job(&figures("[\"model\", \"auc\"]", "[\"auc\"]")).reveal.len() == 2);
    let hidden = refusal(&figures("[\"model\"]", "[\"auc\"]"));
    assert!(hidden.contains("`reveal` does not list it"), "{hidden}");
    let idle = refusal(&figures("[\"model\", \"auc\", \"loss\"]", "[\"auc\"]"));
    assert!(idle.contains("\"loss\", but validation.metrics does not"), "{idle}");
    let named = figures("[\"model\", \"auc\"]", "[\"auc\"]");
    let named = |sets: &str| named.replace("fraction = 0.2", &format!("sets = [\"{sets}\"]"));
    let set = "00112233445566778899aabbccddeeff";
    assert_eq!(job(&named(set)).validation_sets(), [set.parse().unwrap()].into());
    assert!(refusal(&named("ward")).contains("validation.sets: `ward`"));
    let all = named(set)
        .replace("from = [\"hospital-b\", \"hospital-a\"]", &format!("sets = [\"{set}\"]"));
    assert!(refusal(&all).contains("all data sets of `sets`"));
    let odd = refusal(&format!("reveal = [\"weights\"]\n{JOB}"));
    assert!(odd.contains("`weights` cannot be revealed"), "{odd}");
    let adam = JOB.replace("epochs = 2", "optimiser = \"adam\"\nepochs = 2");
    assert!(refusal(&format!("multiplication = \"beaver\"\n{adam}")).contains("all alike"));
    let start = format!("start = \"00112233445566778899aabbccddeeff\"\n{JOB}");
    assert!(refusal(&start).contains("features.scaling"));
    assert!(refusal(&start.replace("00112233", "")).contains("not the id of a kept model"));
    let counted = format!("{JOB}\n[debug]\ncount_range_violations = true");
    assert!(refusal(&counted).contains("\"range-violations\" in `reveal`"));
    let told = format!("reveal = [\"model\", \"range-violations\"]\n{JOB}");
    assert!(refusal(&told).contains("both or neither"));
    let unknown = format!("security = \"none\"\n{JOB}");
    assert!(refusal(&unknown).contains("semi-honest"));
}
