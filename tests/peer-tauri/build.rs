fn main() {
    // The page is embedded; cargo does not see that by itself.
    println!("cargo:rerun-if-changed=dist");
    tauri_build::build();
}
