//! An empty Tauri window that says when its page was painted.

/// Called by the page after its first frame.
#[tauri::command]
fn painted() {
    eprintln!("peer: first paint");
}

fn main() {
    let run = tauri::Builder::default()
        .invoke_handler(tauri::generate_handler![painted])
        .run(tauri::generate_context!());
    if let Err(error) = run {
        eprintln!("peer: {error}");
        std::process::exit(1);
    }
}
