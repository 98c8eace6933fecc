//! What has to be said when there is no window to say it in: on standard error, and on Windows,
//! where a window program has none that anybody sees, in a message box.

/// Says it, in both languages: nothing is known yet of the one in use.
pub(crate) fn show(english: &str, french: &str) {
    eprintln!("forgekeeper: {english}");
    message_box(&format!("{english}\n\n{french}"));
}

/// Lets words reach the console that the program was started from, where there is one.
#[cfg(windows)]
#[expect(unsafe_code, reason = "a call of the operating system")]
pub(crate) fn use_console() {
    use windows_sys::Win32::System::Console::{ATTACH_PARENT_PROCESS, AttachConsole};
    // SAFETY: it takes a number. Without a parent's console it fails, and nothing changes.
    unsafe { AttachConsole(ATTACH_PARENT_PROCESS) };
}

/// Elsewhere standard error is where it should be.
#[cfg(not(windows))]
pub(crate) fn use_console() {}

#[cfg(windows)]
#[expect(unsafe_code, reason = "a call of the operating system")]
fn message_box(text: &str) {
    use windows_sys::Win32::UI::WindowsAndMessaging::{
        MB_ICONERROR, MB_OK, MB_SETFOREGROUND, MessageBoxW,
    };
    let wide = |text: &str| -> Vec<u16> { text.encode_utf16().chain([0]).collect() };
    let (text, title) = (wide(text), wide("Forgekeeper"));
    // SAFETY: both texts end with a zero and live until the call returns; there is no owner window.
    unsafe {
        MessageBoxW(
            std::ptr::null_mut(),
            text.as_ptr(),
            title.as_ptr(),
            MB_OK | MB_ICONERROR | MB_SETFOREGROUND,
        )
    };
}

#[cfg(not(windows))]
fn message_box(_text: &str) {}
