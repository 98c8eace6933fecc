//! Memory and processor time of a program with all its children, from /proc.

use std::{collections::BTreeMap, fs};

/// A process and everything it started that still runs.
pub(super) fn family(root: u32) -> Result<Vec<u32>, String> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")
        .map_err(|error| error.to_string())?
        .flatten()
    {
        let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        // One that ended in between has no parent any more.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else {
            continue;
        };
        if let Some(parent) = after_name(&stat)
            .get(1)
            .and_then(|field| field.parse().ok())
        {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut family = vec![root];
    let mut at = 0;
    while at < family.len() {
        family.extend(children.get(&family[at]).into_iter().flatten());
        at += 1;
    }
    Ok(family)
}

/// Whether a process still runs; one that ended and waits for its parent does not.
pub(super) fn runs(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|stat| !matches!(after_name(&stat).first(), Some(&"Z" | &"X") | None))
}

/// Fields of /proc/ID/stat after the name, which may hold spaces and brackets: state first.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')')
        .map_or(Vec::new(), |(_, rest)| rest.split_whitespace().collect())
}

/// Proportional memory of the whole family in MiB: shared pages are shared out.
pub(super) fn memory_mib(root: u32) -> Result<f64, String> {
    let mut kib = 0.0;
    for id in family(root)? {
        let path = format!("/proc/{id}/smaps_rollup");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
        let value = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
        kib += value.ok_or_else(|| format!("{path} has no Pss"))?;
    }
    Ok(kib / 1024.0)
}

/// Processor seconds of the whole family so far, with those of children that ended.
pub(super) fn cpu_seconds(root: u32) -> Result<f64, String> {
    let mut ticks = 0.0;
    for id in family(root)? {
        let path = format!("/proc/{id}/stat");
        let stat = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        // utime, stime, cutime, cstime are fields 14 to 17 of the line, 11 to 14 after the name.
        for field in after_name(&stat)
            .get(11..15)
            .ok_or_else(|| format!("{path} is short"))?
        {
            ticks += field
                .parse::<f64>()
                .map_err(|error| format!("{path}: {error}"))?;
        }
    }
    // The kernel's clock tick for user space is 100 a second on every platform Tauri runs on.
    Ok(ticks / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_brackets_do_not_move_the_fields() {
        let fields = after_name("12 (a) b (c)) S 7 1 1");
        assert_eq!(fields[..2], ["S", "7"]);
    }

    #[test]
    fn this_process_has_memory_and_is_of_its_own_family() {
        let id = std::process::id();
        assert!(family(id).unwrap().contains(&id));
        assert!(runs(id));
        assert!(!runs(u32::MAX), "nobody has this number");
        assert!(memory_mib(id).unwrap() > 0.1);
        assert!(cpu_seconds(id).unwrap() >= 0.0);
    }
}
