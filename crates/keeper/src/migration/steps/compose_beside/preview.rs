//! What doing the step, or taking it back, would do.

use forgekeeper_domain::{
    error::ErrorInfo,
    migration::{StepPreview, compose::GpuWish},
};

use super::{Made, Written, plan, words};
use crate::migration::Site;

pub(super) async fn preview(site: &Site) -> Result<StepPreview, ErrorInfo> {
    let planned = match Box::pin(plan::planned(site)).await {
        Ok(planned) => planned,
        Err(finding) => {
            let refused = finding.says.into_iter();
            return Ok(refused.fold(StepPreview::default(), StepPreview::refused));
        }
    };
    let beside = &planned.beside;
    let mut preview = StepPreview::default();
    for note in planned.notes {
        preview = preview.looks(note);
    }
    if let Some((path, text)) = &planned.paths {
        preview = preview.writes(path.display().to_string(), added(text));
    }
    let file = planned.file.display().to_string();
    preview = match &planned.file_before {
        Some(before) => preview.writes(&file, changed(before, &planned.file_after)),
        None => preview.writes(&file, added(&planned.file_after)),
    };
    let gpu = match &beside.gpu {
        GpuWish::Card(card) => format!(" --gpus device={card}"),
        GpuWish::None => String::new(),
    };
    let command = format!(
        "docker create --name {}{gpu} -p {}:{}:{} {}",
        beside.container, beside.address, beside.port, beside.port_inside, beside.image
    );
    preview = preview
        .does(words::makes(&beside.image, &beside.container))
        .runs(format!("docker pull {}", beside.image))
        .runs(command)
        .runs(format!("docker start {}", beside.container))
        .does(words::adds_service(planned.to.as_str()))
        .looks(words::waits())
        .undone_by(words::undo_by());
    Ok(planned
        .refused
        .into_iter()
        .fold(preview, StepPreview::refused))
}

pub(super) fn undo(made: &Made) -> StepPreview {
    let mut preview = StepPreview::default();
    let Some(beside) = &made.beside else {
        return preview.refused(words::nothing_made());
    };
    preview = preview
        .does(words::removes(&beside.container))
        .runs(format!("docker stop {}", beside.container))
        .runs(format!("docker rm {}", beside.container))
        .looks(words::keeps_volumes())
        .interrupts(words::interrupts_target(&beside.service));
    if let Some(service) = &made.service {
        preview = preview.does(words::removes_service(service));
    }
    for Written {
        path,
        before,
        after,
    } in made.compose.iter().chain(&made.paths)
    {
        let diff = changed(after, before.as_deref().unwrap_or_default());
        preview = preview.writes(path, diff);
    }
    preview.undone_by(words::redo_by())
}

fn added(text: &str) -> String {
    changed("", text)
}

/// The change as one piece of a unified diff: what is the same at both ends is left out but for a few
/// lines.
fn changed(before: &str, after: &str) -> String {
    const AROUND: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev());
    let tail = tail.take_while(|(a, b)| a == b).count().min(most);
    let from = head.saturating_sub(AROUND);
    let below = tail.min(AROUND);
    let place = |end: usize| {
        let count = end - tail + below - from;
        let first = if count == 0 { from } else { from + 1 };
        format!("{first},{count}")
    };
    let mut text = format!("@@ -{} +{} @@\n", place(old.len()), place(new.len()));
    let pieces = [
        (' ', &old[from..head]),
        ('-', &old[head..old.len() - tail]),
        ('+', &new[head..new.len() - tail]),
        (' ', &old[old.len() - tail..old.len() - tail + below]),
    ];
    for (sign, lines) in pieces {
        for line in lines {
            text.push(sign);
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn a_change_is_told_with_what_stands_around_it() {
        for (before, after, diff) in [
            ("", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"),
            ("a\n", "", "@@ -1,1 +0,0 @@\n-a\n"),
            (
                "1\n2\n3\n4\n5\n6\n",
                "1\n2\n3\n4\nx\n6\n",
                "@@ -2,5 +2,5 @@\n 2\n 3\n 4\n-5\n+x\n 6\n",
            ),
        ] {
            assert_eq!(changed(before, after), diff);
        }
    }
}
