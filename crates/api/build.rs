//! Says where the built web app is, so that it is embedded. Without one (`make run` and `make test`
//! build it, `npm run build` in `web/` does) the program still builds and serves a page that says so.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let var = |name| std::env::var(name).unwrap_or_default();
    let built = Path::new(&var("CARGO_MANIFEST_DIR")).join("../../web/dist");
    let folder = match std::fs::create_dir_all(&built) {
        Ok(()) => built,
        // A read-only source tree: an empty folder, and with it the page that says how to build.
        Err(_) => {
            let empty = PathBuf::from(var("OUT_DIR")).join("web");
            let _ = std::fs::create_dir_all(&empty);
            empty
        }
    };
    // Development builds read the files when they are asked for; others hold them and must be made anew.
    if var("PROFILE") == "release" {
        println!("cargo:rerun-if-changed={}", folder.display());
    }
    println!("cargo:rustc-env=CP_WEB_DIST={}", folder.display());
}
