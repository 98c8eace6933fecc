//! The root file system for `docker import`, as a tar stream: this very binary and a few names.

use std::io::{self, Write};

const SUPERVISOR: &str = "usr/bin/supervisorctl";
/// The links that make the binary answer to other names.
const LINKS: &[&str] = &[
    SUPERVISOR,
    "usr/bin/nvidia-smi",
    "bin/tail",
    "bin/test",
    "bin/wc",
];
const FOLDERS: &[&str] = &[
    "bin/",
    "usr/",
    "usr/bin/",
    "run/",
    "tmp/",
    "etc/",
    "var/",
    "var/log/",
    "var/log/supervisor/",
    "workspace/",
];

fn octal(field: &mut [u8], value: u64) {
    let text = format!("{value:0width$o}", width = field.len() - 1);
    field[..text.len()].copy_from_slice(text.as_bytes());
}

fn header(name: &str, mode: u64, size: u64, kind: u8, target: &str) -> [u8; 512] {
    let mut block = [0u8; 512];
    block[..name.len()].copy_from_slice(name.as_bytes());
    octal(&mut block[100..108], mode);
    octal(&mut block[108..116], 0);
    octal(&mut block[116..124], 0);
    octal(&mut block[124..136], size);
    // A fixed time: the same binary gives the same archive.
    octal(&mut block[136..148], 1_727_430_000);
    block[148..156].copy_from_slice(b"        ");
    block[156] = kind;
    block[157..157 + target.len()].copy_from_slice(target.as_bytes());
    block[257..263].copy_from_slice(b"ustar\0");
    block[263..265].copy_from_slice(b"00");
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    octal(&mut block[148..155], sum);
    block[155] = b' ';
    block
}

/// Writes the archive around `binary`; images whose program is PID 1 itself have no supervisor.
pub fn write(out: &mut impl Write, binary: &[u8], supervisor: bool) -> io::Result<()> {
    for folder in FOLDERS {
        out.write_all(&header(folder, 0o755, 0, b'5', ""))?;
    }
    let size = u64::try_from(binary.len()).unwrap_or(u64::MAX);
    out.write_all(&header("bin/forgekeeper-standin", 0o755, size, b'0', ""))?;
    out.write_all(binary)?;
    out.write_all(&vec![0u8; (512 - binary.len() % 512) % 512])?;
    for link in LINKS
        .iter()
        .filter(|link| supervisor || **link != SUPERVISOR)
    {
        out.write_all(&header(link, 0o777, 0, b'2', "/bin/forgekeeper-standin"))?;
    }
    out.write_all(&[0u8; 1024])?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_sums_up() {
        let mut tar = Vec::new();
        write(&mut tar, &[7u8; 700], true).unwrap();
        assert_eq!(tar.len() % 512, 0);
        let block = &tar[..512];
        let told = u64::from_str_radix(std::str::from_utf8(&block[148..154]).unwrap(), 8).unwrap();
        let mut blank = block.to_vec();
        blank[148..156].copy_from_slice(b"        ");
        assert_eq!(told, blank.iter().map(|b| u64::from(*b)).sum::<u64>());
    }
}
