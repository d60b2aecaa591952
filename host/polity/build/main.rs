//! What is made before the compiler runs, and what the linker is told.

mod company;
mod layout;

fn main() {
    println!("cargo::rerun-if-changed=build");
    company::embed();
    layout::arrange();
}
