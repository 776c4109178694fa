//! DSA keys, for charts that still ask for them.
//!
//! The group is a fixed one of 2048 and 256 bits, made for this file; keys differ in their exponents. Groups are
//! public and meant to be shared, and making one takes seconds.

use num_bigint::BigUint;

use super::der::{self, sequence, unsigned};
use crate::functions::random;
use crate::template::Run;

/// The modulus.
const P: &str = "\
    d108a36a35d6f6c62fca39956ae3547a6f7c5e9ee71d89f07aaa3ce2a86e3c22781bd6aa83cb01344a01e9ae72541bf3\
    17b0b13b8d93e0b3d0ccd71a83188322a0631fcdcc296caeb23cded187438357ac0f29bc726844f4e2bf2e706dad471e\
    6212a74304de9715335703978f7c7981b7739ecb958cb1a671e4a69b907032d5f83441d65e2394e915dde4e6e4dc9f81\
    d45fa433adece9f3b5e8d091fdd696a5ba8dedcce00ff1217ce812945be199a80b674959b42379b73343b69077ffeb47\
    2fc97e1e009396a10d49c48957db03d6c1e59c91e810be08879056b5f62913abd935f9e3e7e0d2ab1fb932fefa2c76f4\
    bf3f65ebaa0c7505bb052d3354eac50b";
/// The order of the group.
const Q: &str = "\
    898a99afa58f5ec70ff24efb1c218d9429313aad98cb23ed9fa3dd9587031a3f";
/// The generator.
const G: &str = "\
    8a9d0c92ad8c64f63b371bf09e9ca15237979632dbdc0e1f2b7c3f74bd6433b0231d3ff766c05d1786c67e1054337a64\
    cacbec9f9aaf2c2060028a481baba24d8d078c6bbb7f3415e01beaa5db842e1dcb501fe3c4b00ebb53e06731a00c0217\
    17db97386907c29b0a88aefae08cb2a3d5ffe87c7b16a45a8c22870b67e8339443eaecaf5568e7fdf76796f4de4f2732\
    5be1bf0172db6b69e6232e9fe0d76055b9bec47d5101f6b7bc3ad443cac14d6a18c8aef5870ffc415e8012ed6be081b7\
    64fce5b6bee252afc629f6db2fcebc85728395dd0a26f7486e9986b97d54b0499f7e224c84286cc141d98530b1e0429b\
    6216ca5e5f6fd400173cb0054600c28f";

/// A new key in the form of OpenSSL: version, group, public and private number.
pub(super) fn generate(run: &Run<'_>) -> String {
    let number = |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).unwrap_or_default();
    let (modulus, order, generator) = (number(P), number(Q), number(G));
    // 64 bits more than the order has: what the division favours does not matter.
    let raw = BigUint::from_bytes_be(&random::bytes(run, 40));
    let private = raw % (&order - 1_u32) + 1_u32;
    let public = generator.modpow(&private, &modulus);
    let parts =
        [modulus, order, generator, public, private].map(|part| unsigned(&part.to_bytes_be()));
    let mut all = vec![unsigned(&[0])];
    all.extend(parts);
    let all: Vec<&[u8]> = all.iter().map(Vec::as_slice).collect();
    der::pem("DSA PRIVATE KEY", &sequence(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_is_one() {
        let number =
            |text: &str| BigUint::parse_bytes(text.as_bytes(), 16).expect("hexadecimal digits");
        let (modulus, order, generator) = (number(P), number(Q), number(G));
        let one = BigUint::from(1_u32);
        assert_eq!((modulus.bits(), order.bits()), (2048, 256));
        assert_eq!((&modulus - 1_u32) % &order, BigUint::default());
        assert!(generator > one && generator.modpow(&order, &modulus) == one);
    }
}
