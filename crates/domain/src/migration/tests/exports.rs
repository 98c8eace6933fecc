use super::*;

const EVIL: &str = "\"><script>alert('x')</script>\n| # *b* [l](http://x) <img src=x onerror=y> & \u{202e}\u{1b}[2J";

/// A plan in which everything that can be written says something evil.
fn hostile() -> (OwnPlan, Proofs) {
    let mut own = OwnPlan::default();
    own.added.push(AddedStep {
        id: id("own.x"),
        phase: PhaseId::Groundwork,
        title: EVIL.to_owned(),
        why: EVIL.to_owned(),
        days: Days { least: 1, most: 2 },
        needs: Vec::new(),
        expires_after: Some(3),
        undoable: true,
        risky: true,
    });
    let all = Change {
        skip: Some(EVIL.to_owned()),
        note: Some(EVIL.to_owned()),
        needs: vec![id("own.x")],
        start: None,
    };
    own.changes.insert(id("training"), all);
    let mut word = attested(NOW);
    word.basis = Basis::Attested {
        by: EVIL.to_owned(),
    };
    word.evidence = vec![Evidence::new(EVIL, EVIL)];
    let proofs = Proofs::from([(id("own.x"), vec![word])]);
    (own, proofs)
}

#[test]
fn html_shows_every_text_and_obeys_none() {
    let (own, proofs) = hostile();
    for language in [Language::En, Language::Fr] {
        let page = html(&standing(&own, &proofs), language);
        for raw in ["<script", "<img", "'x'", "\u{1b}", "\u{202e}", "& "] {
            assert!(!page.contains(raw), "{raw:?}");
        }
        let shown = "<bdi>&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;<br>";
        // Title, purpose, reason, note, who, and both sides of the evidence.
        assert!(page.matches(shown).count() >= 7, "{page}");
        assert_eq!(page.matches('<').count(), page.matches('>').count());
        assert!(page.contains(&format!("<html lang=\"{}\">", language.key())));
        assert!(!page.contains("src=\"") && !page.contains("href="));
    }
}

#[test]
fn markdown_shows_every_text_and_obeys_none() {
    let (own, proofs) = hostile();
    for language in [Language::En, Language::Fr] {
        let page = markdown(&standing(&own, &proofs), language);
        let shown = "\"\\>\\<script\\>alert('x')\\</script\\> \\| \\# \\*b\\* \\[l\\](http\\://x) \\<img src=x onerror=y\\> \\& \\[2J";
        assert!(page.matches(shown).count() >= 7, "{page}");
        let lines = page.lines().filter(|line| line.starts_with(['"', '<']));
        assert_eq!(lines.count(), 0);
        let mut before = ' ';
        for c in page.chars() {
            assert!(
                !matches!(c, '<' | '>' | '[' | '&') || before == '\\',
                "{page}"
            );
            before = c;
        }
        assert!(!page.contains(['\u{1b}', '\u{202e}']));
    }
}

#[test]
fn a_note_begins_no_list_and_no_heading() {
    for note in [
        "- x",
        "1. x",
        "2) x",
        "+ x",
        "# x",
        "=== x",
        "www.x.org a@b.c",
    ] {
        let mut own = OwnPlan::default();
        own.added.push(AddedStep {
            id: id("own.x"),
            phase: PhaseId::Groundwork,
            title: note.to_owned(),
            why: note.to_owned(),
            days: Days { least: 1, most: 1 },
            needs: Vec::new(),
            expires_after: None,
            undoable: false,
            risky: false,
        });
        let page = markdown(&standing(&own, &Proofs::new()), Language::En);
        assert!(!page.contains(&format!("### {note}")), "{note}: {page}");
    }
}

#[test]
fn the_page_says_what_is_known_and_no_more() {
    let mut proof = measured(NOW);
    proof.evidence = vec![Evidence::new("digest", "sha256:1")];
    let mut proofs = Proofs::from([(id("target-image"), vec![proof])]);
    proofs.extend([passed("read-docs", NOW)]);
    let own = read(
        "[[change]]\nid = 'training'\nskip = 'seul'\n[[change]]\nid = 'proxy-cutover'\nstart = 2027-03-01\n",
    );
    let found = standing(&own, &proofs);
    let page = markdown(&found, Language::En);
    for line in [
        "# Migration from Forge to ComfyUI",
        "As of 2026-12-10 12:00 +00:00",
        "Done: 3 of 19 · of them by a person’s word: 1 · skipped: 1",
        "Next step: GPU plan",
        "- State: Proved by measurement on 2026-12-10 12:00 +00:00",
        "- State: Attested by a person on 2026-12-10 12:00 +00:00",
        "- State: Skipped: seul",
        "- State: Waits for: GPU plan, Disk space",
        "- Evidence: digest = sha256:1",
        "| Forge stops working | low | high | The migration to ComfyUI is prepared |",
        "- Verdict: Acceptable for the short term only",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    assert!(page.contains("| 2027-03-01 (assigned) |"), "{page}");
    let page = markdown(&found, Language::Fr);
    for line in [
        "Terminées\u{202f}: 3 sur 19 · dont sur déclaration d’une personne\u{202f}: 1 · omise\u{202f}: 1",
        "- État\u{202f}: Attend\u{202f}: Répartition des GPU, Espace disque",
        "| Forge cesse de fonctionner | faible | élevé | La migration vers ComfyUI est préparée |",
    ] {
        assert!(page.lines().any(|found| found == line), "{line}\n{page}");
    }
    let nothing = markdown(&standing(&OwnPlan::default(), &Proofs::new()), Language::En);

    assert!(
        nothing.contains("| GPU plan | Ready | unknown | unknown | 1\u{a0}day |"),
        "{nothing}"
    );
}

#[test]
fn french_words_agree_with_what_they_say() {
    let page = markdown(&standing(&OwnPlan::default(), &Proofs::new()), Language::Fr);
    assert!(
        page.contains("| Courbe d’apprentissage de ComfyUI | élevée | faible |"),
        "{page}"
    );
    assert!(
        page.contains("| Perte de performances | moyenne | faible |"),
        "{page}"
    );
}
