//! What changes in the owner's text.

use std::fmt::Write as _;

use similar::{Algorithm, ChangeTag, DiffOp, capture_diff_slices, group_diff_ops};

/// Lines around a change that are shown.
const AROUND: usize = 2;

/// The change from one text to another as a unified diff; empty where no line changes.
pub fn text_diff(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let mut text = String::new();
    for group in group_diff_ops(ops, AROUND) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let place = |from: usize, to: usize| {
            // A text without lines has no first one.
            let first = if from == to { from } else { from + 1 };
            format!("{first},{}", to - from)
        };
        let a = place(first.old_range().start, last.old_range().end);
        let b = place(first.new_range().start, last.new_range().end);
        // Writing into a text never fails.
        let _ = writeln!(text, "@@ -{a} +{b} @@");
        for change in group
            .iter()
            .flat_map(|op: &DiffOp| op.iter_changes(&old, &new))
        {
            let sign = match change.tag() {
                ChangeTag::Equal => ' ',
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
            };
            let _ = writeln!(text, "{sign}{}", change.value());
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::text_diff;

    #[test]
    fn changes_far_apart_are_pieces_of_their_own() {
        let before = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let after = "A\nb\nc\nd\ne\nf\ng\nh\ni\n";
        let diff = "@@ -1,3 +1,3 @@\n-a\n+A\n b\n c\n@@ -7,2 +7,3 @@\n g\n h\n+i\n";
        assert_eq!(text_diff(before, after), diff);
        assert_eq!(text_diff("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
        assert_eq!(text_diff(after, after), "");
    }
}
