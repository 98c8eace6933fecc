//! What changes in a file of which one place changes.

use std::fmt::Write as _;

/// Lines around a change that are shown.
const AROUND: usize = 3;

/// The change from one text to another as one piece of a unified diff; empty where there is none.
pub fn one_change(before: &str, after: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = |a: &&str, b: &&str| a == b;
    let head = old.iter().zip(&new).take_while(|(a, b)| same(a, b)).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev());
    let tail = tail.take_while(|(a, b)| same(a, b)).count().min(most);
    let (gone, come) = (&old[head..old.len() - tail], &new[head..new.len() - tail]);
    if gone.is_empty() && come.is_empty() {
        return String::new();
    }
    let from = head.saturating_sub(AROUND);
    let above = &old[from..head];
    let below = &old[old.len() - tail..(old.len() - tail + AROUND).min(old.len())];
    let around = above.len() + below.len();
    let place = |lines: usize| {
        // A file without lines has no first one.
        let first = if lines == 0 { from } else { from + 1 };
        format!("{first},{lines}")
    };
    let (a, b) = (place(gone.len() + around), place(come.len() + around));
    let mut text = format!("@@ -{a} +{b} @@\n");
    let pieces = [(' ', above), ('-', gone), ('+', come), (' ', below)];
    for (sign, lines) in pieces {
        for line in lines {
            // Writing into a text never fails.
            let _ = writeln!(text, "{sign}{line}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::one_change;

    #[test]
    fn one_piece_with_what_stands_around_it() {
        let cases = [
            ("", "", ""),
            ("a\n", "a\n", ""),
            ("", "a\nb\n", "@@ -0,0 +1,2 @@\n+a\n+b\n"),
            ("a\n", "", "@@ -1,1 +0,0 @@\n-a\n"),
            (
                "1\n2\n3\n4\n5\n6\n",
                "1\n2\n3\n4\nx\n5\n6\n",
                "@@ -2,5 +2,6 @@\n 2\n 3\n 4\n+x\n 5\n 6\n",
            ),
            ("a\na\n", "a\na\na\n", "@@ -1,2 +1,3 @@\n a\n a\n+a\n"),
            ("x\ny\n", "x\nz\n", "@@ -1,2 +1,2 @@\n x\n-y\n+z\n"),
        ];
        for (before, after, wanted) in cases {
            assert_eq!(one_change(before, after), wanted, "{before:?} {after:?}");
        }
    }
}
