use super::*;

#[test]
fn the_embedded_policies_are_valid() {
    if let Err(error) = Engine::embedded() {
        panic!("{error}");
    }
}
