//! Another value lies in other buffers, at each party: by that the verification sees which factors
//! of its products are the same (`docs/VERIFICATION.md`).

use super::{Arith, Bin};
use crate::party::PartyId;
use crate::ring::Z64;
use crate::testing::{deal, deal_bits};

/// Where both components lie.
fn buffers(x: &Arith<Z64>) -> [*const u64; 2] {
    [x.first().as_ptr(), x.second().as_ptr()]
}

#[test]
fn whatever_changes_a_value_takes_a_new_buffer() {
    let rows = deal::<Z64>(2, [1, 3], &[1, 2, 3]);
    for party in PartyId::ALL {
        let (at, row) = (party.index(), &rows[party.index()]);
        for x in [&deal::<Z64>(1, [2, 3], &[7; 6])[at], &Arith::zeros([2, 3])] {
            let changed: [(&str, Arith<Z64>); 8] = [
                ("add_public", x.add_public(party, 1)),
                ("add_public_matrix", x.add_public_matrix(party, &[1; 6]).unwrap()),
                ("add", x.add(x).unwrap()),
                ("combine", x.clone().combine("", x, u64::wrapping_sub).unwrap()),
                ("combine_three", Arith::combine_three("", [x; 3], |x, _, _| x).unwrap()),
                ("add_row", x.clone().add_row(row).unwrap()),
                ("scale", x.scale(3)),
                ("map", x.map(|word| word >> 1)),
            ];
            for (name, changed) in &changed {
                assert_ne!(buffers(changed), buffers(x), "{name} at {party}");
            }
            let same = [x.clone(), x.reshape([3, 2]).unwrap()];
            assert!(same.iter().all(|same| buffers(same) == buffers(x)), "at {party}");
        }
        let bits: &Bin = &deal_bits(3, 64, &[5])[at];
        let not = bits.not(party);
        assert_ne!(
            [not.first().as_ptr(), not.second().as_ptr()],
            [bits.first().as_ptr(), bits.second().as_ptr()],
            "not at {party}"
        );
    }
}
