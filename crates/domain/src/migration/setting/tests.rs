use super::*;
use crate::{
    migration::{PlanEdit, edit},
    service::KindId,
};

const TEXT: &str = "\
# Our migration.
[target]
from = \"myia\"   # the old one
port = 8188      # its own
models = 'D:\\models'

# The class wants it in spring.
[[change]]
id = \"training\"
note = \"spring\"
# The end.
";

fn set(field: PlanField, value: &str) -> Setting {
    Setting {
        field,
        value: Some(value.to_owned()),
    }
}

fn unset(field: PlanField) -> Setting {
    Setting { field, value: None }
}

fn written(text: &str, settings: Vec<Setting>) -> String {
    let plan = OwnPlan::read(text).unwrap();
    let text = edit(Some(text), &plan, &PlanEdit::Set(settings)).unwrap();
    OwnPlan::read(&text).unwrap();
    text
}

#[test]
fn every_value_is_in_the_table_once_and_is_read_back() {
    for (field, section, key) in FIELDS {
        assert_eq!((field.section(), field.key()), (*section, *key));
        assert_eq!(PlanField::named(section, key), Some(*field));
        let word = serde_json::to_value(field).unwrap();
        assert_eq!(word, field.to_string());
        let value = if *field == PlanField::Port {
            "9000"
        } else {
            "a.yaml"
        };
        let text = written("", vec![set(*field, value)]);
        assert_eq!(
            field.of(&OwnPlan::read(&text).unwrap()).as_deref(),
            Some(value)
        );
    }
    assert_eq!(PlanField::named("target", "rule"), None);
    assert_eq!(PlanField::named("add", "id"), None);
}

#[test]
fn values_change_alone_and_every_comment_stays() {
    let text = written(
        TEXT,
        vec![
            set(PlanField::Port, "8189"),
            set(PlanField::ComposeFile, r"D:\genai\compose.yaml"),
            unset(PlanField::Models),
            set(PlanField::Rule, "to Forge"),
        ],
    );
    let expected = TEXT
        .replace("port = 8188      #", "port = 8189      #")
        .replace(
            "models = 'D:\\models'\n",
            "compose_file = 'D:\\genai\\compose.yaml'\n",
        );
    assert_eq!(text, format!("{expected}\n[iis]\nrule = \"to Forge\"\n"));
    // The same again changes nothing, and what is not said is not taken back.
    assert_eq!(written(&text, vec![set(PlanField::Port, "8189")]), text);
    assert_eq!(written(TEXT, vec![unset(PlanField::Rule)]), TEXT);
    let windows = TEXT.replace('\n', "\r\n");
    let text = written(&windows, vec![set(PlanField::To, "comfyui")]);
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    let inline = "target = { from = \"myia\" } # in short\n";
    let text = written(inline, vec![set(PlanField::To, "comfyui")]);
    assert!(
        text.ends_with("# in short\n") && text.contains("to = \"comfyui\""),
        "{text}"
    );
}

fn around() -> Surroundings {
    let id = |id: &str| ServiceId::new(id).unwrap();
    let known = |name: &str, kind, port| KnownService {
        id: id(name),
        kind,
        port: Some(port),
    };
    Surroundings {
        services: vec![
            known("myia", KindId::Forge, 17860),
            known("comfyui", KindId::Comfyui, 8188),
        ],
        cards: Some(vec![GpuUuid::new("GPU-1").unwrap()]),
        rules: Some(vec!["to Forge".to_owned()]),
    }
}

#[test]
fn what_cannot_be_is_wrong_and_what_is_odd_is_said() {
    use PlanField as F;
    // (value, whether it is wrong; none: nothing is said, what the words name)
    let rows: &[(F, &str, Option<bool>, &str)] = &[
        (F::From, "myia", None, ""),
        (F::From, "mya", Some(true), "Did you mean `myia`?"),
        (F::From, "comfyui", Some(true), "no Forge service"),
        (F::To, "comfyui", None, ""),
        (
            F::To,
            "comfyui-next",
            Some(false),
            "no service `comfyui-next` yet",
        ),
        (F::To, "myia", Some(true), "is replaced"),
        (F::To, "two words", Some(true), "cannot be the name"),
        (F::Image, "yanwk/comfyui-boot:cu126-slim", None, ""),
        (F::Image, "a b", Some(true), "names no image"),
        (F::Port, "8189", None, ""),
        (
            F::Port,
            "17860",
            Some(false),
            "`myia` answers on port 17860",
        ),
        (F::Port, "0", Some(true), "no port"),
        (F::Port, "65536", Some(true), "no port"),
        (F::Port, "+80", Some(true), "no port"),
        (F::Port, "8188.5", Some(true), "no port"),
        (F::Gpu, "GPU-1", None, ""),
        (F::Gpu, "none", None, ""),
        (F::Gpu, "GPU-2", Some(false), "Seen are: `GPU-1`"),
        (F::Gpu, "GPU 2", Some(true), "no UUID"),
        (F::ComposeFile, "compose.comfyui.yaml", None, ""),
        (F::ComposeFile, r"D:\genai\compose.yml", None, ""),
        (F::ComposeFile, r"D:\genai", Some(true), "no YAML file"),
        (F::ExtraModelPaths, "paths.txt", Some(true), "no YAML file"),
        (F::Models, r"\\server\share\models", None, ""),
        (F::Models, r"\\?\D:\models", None, ""),
        (F::Models, "/srv/forge/models", None, ""),
        (F::Models, "\"D:\\models\"", Some(true), "quotation marks"),
        (F::Models, "D:models", Some(true), "a backslash"),
        (F::Models, r"D:\mod|els", Some(true), "no `|` in names"),
        (F::Models, r"D:\models. \x", Some(true), "drops the end"),
        (F::Models, "~/models", Some(true), "replaces `~`"),
        (F::Models, "%USERPROFILE%\\m", Some(true), "variables"),
        (F::WebConfig, "a\nb", Some(true), "control character"),
        (F::PublicUrl, "https://images.example.org", None, ""),
        (F::PublicUrl, "images.example.org", Some(true), "no address"),
        (F::RehearsalUrl, "https://x/{R:1}", Some(true), "no address"),
        (F::Rule, "to Forge", None, ""),
        (
            F::RehearsalRule,
            "rehearsal",
            Some(false),
            "It has: `to Forge`",
        ),
        (F::Rule, " ", Some(true), "Nothing is written"),
    ];
    let plan = OwnPlan::read("[target]\nfrom = \"myia\"\nto = \"comfyui\"\n").unwrap();
    for (field, value, wrong, words) in rows {
        let said = judge_settings(&[set(*field, value)], &plan, &around());
        assert_eq!(
            said.first().map(|said| said.wrong),
            *wrong,
            "{field} = {value}: {said:?}"
        );
        if let Some(said) = said.first() {
            assert_eq!(said.field, *field);
            let text = format!("{} {}", said.words.en, said.remedy.en);
            assert!(text.contains(words), "{field} = {value}: {text}");
            assert!(!said.words.fr.is_empty() && !said.remedy.fr.is_empty());
        }
    }
}

#[test]
fn values_are_judged_with_those_beside_them() {
    let judged = |settings: &[Setting], plan: &str| {
        judge_settings(settings, &OwnPlan::read(plan).unwrap(), &around())
    };
    // ComfyUI's own port is not somebody else's.
    let both = [set(PlanField::To, "comfyui"), set(PlanField::Port, "8188")];
    assert_eq!(judged(&both, ""), Vec::new());
    assert_eq!(judged(&both[1..], "").len(), 1);
    let rules = "[iis]\nrule = \"to Forge\"\n";
    let same = judged(&[set(PlanField::RehearsalRule, "to Forge")], rules);
    assert!(same.iter().any(|said| said.wrong), "{same:?}");
    let unread = Surroundings::default();
    let plan = OwnPlan::default();
    let card = judge_settings(&[set(PlanField::Gpu, "GPU-9")], &plan, &unread);
    assert!(!card[0].wrong && card[0].words.en.contains("cannot be read"));
}
