//! Tile registers and 8-bit products: 16 rows of 32 columns at a time, on processors with AMX.
//!
//! With the bytes of a and b as digits,
//!
//! ```text
//! a b = sum over s < 8 of 2^(8 s) (sum over i <= s of a_i b_(s - i))    mod 2^64:
//! ```
//!
//! 36 products of bytes for one of words. `tdpbuud` takes 16,384 of them in 16 cycles and adds them up in 32
//! bits. For each s the bytes of all steps are one inner dimension; the sums for s are kept apart, and
//! put together once for `DEPTH` steps: of so many, up to four products of a step fit into 32 bits
//! (s < 4), and of s >= 4 only the lower bits count.
//!
//! The operands are packed in stretches of 64 steps, each as eight planes of the bytes of its words
//! (`planes.rs`), which are in the first-level cache while they are multiplied. Four registers
//! are used of eight. Measured, a tile's product takes 16 cycles where the core's other thread is
//! idle; where a program runs there, 30 with four registers in use and 60 with eight, as if few
//! were left to read ahead into.

mod planes;

use super::MatRef;
use super::driver::{Kernel, Tile};
use crate::ring::lanes::{LANES, Octet};
use crate::ring::scratch::Scratch;
use crate::ring::simd::Level;
use std::arch::asm;
use std::arch::x86_64::{
    __cpuid, __cpuid_count, __m256i, __m512i, __mmask8, _mm512_add_epi32, _mm512_add_epi64,
    _mm512_castsi512_si256, _mm512_cvtepu32_epi64, _mm512_extracti64x4_epi64, _mm512_loadu_si512,
    _mm512_mask_storeu_epi64, _mm512_maskz_loadu_epi64, _mm512_slli_epi32, _mm512_slli_epi64,
};
use std::sync::OnceLock;

/// Rows of a tile register; a row has as many words of 32 bits.
const SIDE: usize = 16;
/// Rows of a full tile of the output.
const ROWS: usize = SIDE;
/// Columns of a full tile of the output: of two tile registers.
const COLS: usize = 2 * SIDE;
/// Bytes in a row of a tile register, and steps that are packed together.
const STEPS: usize = 64;
/// Bytes in a tile register.
const TILE_BYTES: usize = SIDE * STEPS;
/// Bytes of a word.
const DIGITS: usize = 8;
/// Octets of the sums for every s, of two tiles each.
const SUM_OCTETS: usize = DIGITS * 2 * TILE_BYTES / size_of::<Octet>();

/// The kernel. It can only be made where its instructions exist and the system lets them be used.
#[derive(Clone, Copy)]
pub(super) struct Amx(Level);

impl Amx {
    /// The kernel, if the processor can run it.
    pub(super) fn new() -> Option<Amx> {
        static MAY_RUN: OnceLock<bool> = OnceLock::new();
        let level = Level::avx512()?;
        let may_run = || {
            is_x86_feature_detected!("avx512vbmi")
                && has_tile_products()
                && may_use_tile_registers()
        };
        MAY_RUN.get_or_init(may_run).then_some(Amx(level))
    }
}

/// Whether the processor has tile registers and products of bytes in them.
fn has_tile_products() -> bool {
    const FEATURES: u32 = 7;
    const TILE: u32 = 1 << 24;
    const INT8: u32 = 1 << 25;
    let features = || __cpuid_count(FEATURES, 0).edx;
    __cpuid(0).eax >= FEATURES && features() & (TILE | INT8) == TILE | INT8
}

/// Asks the system for the tile registers, which it gives a process on request alone.
#[cfg(target_os = "linux")]
fn may_use_tile_registers() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;
    // SAFETY: the request has no pointers and changes nothing but what the process may use.
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0 }
}

/// How other systems are asked is not known.
#[cfg(not(target_os = "linux"))]
fn may_use_tile_registers() -> bool {
    false
}

impl Kernel for Amx {
    const ROWS: usize = ROWS;
    const COLS: usize = COLS;
    // Panels of either operand take a small part of the second-level cache.
    const DEPTH: usize = 13 * STEPS;
    const STEPS: usize = STEPS;
    const LHS_STEP: usize = ROWS;
    const RHS_STEP: usize = COLS;
    const IN_PLACE: bool = false;
    const PANELS_TOGETHER: usize = 1;

    fn level(self) -> Level {
        self.0
    }

    fn pack_lhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        // SAFETY: `self` proves the instructions.
        unsafe { planes::pack_left(&mut panels[..panel_words], block) }
    }

    fn pack_rhs(self, panels: &mut [u64], panel_words: usize, block: MatRef<'_>) {
        // SAFETY: as above.
        unsafe { planes::pack_right(&mut panels[..panel_words], block) }
    }

    fn add_tile(self, tile: &Tile<'_>, out: &mut [u64], out_down: usize) {
        tile.assert_in_bounds(out, out_down);
        let steps = tile.depth.next_multiple_of(STEPS);
        assert!(tile.lhs.len() >= steps * ROWS && tile.rhs.len() >= steps * COLS);
        assert!(tile.rows <= ROWS && tile.cols <= COLS);
        let mut scratch = Scratch::take();
        let sums = scratch.octets::<SUM_OCTETS>();
        // SAFETY: `self` proves the instructions, and the bounds were checked above.
        unsafe {
            sum_digits(sums, tile, steps / STEPS);
            add_sums(sums, tile, out.as_mut_ptr(), out_down);
        }
    }
}

/// Shapes of the tile registers, as `ldtilecfg` reads them.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

impl Shapes {
    /// Registers 0 and 1 are a tile of the output, 2 is one of the left operand, 3 of the right one. The
    /// columns are whole: what none are packed for is not looked at.
    fn of(rows: usize) -> Shapes {
        let mut shapes = Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        for (register, rows) in [rows, rows, rows, SIDE].into_iter().enumerate() {
            shapes.row_bytes[register] = STEPS as u16;
            shapes.rows[register] = rows as u8;
        }
        shapes
    }
}

/// Sums of products of digits: for every s two tiles, of the left and of the right columns.
///
/// # Safety
/// The processor must have the instructions, and both panels as many stretches.
unsafe fn sum_digits(sums: &mut [Octet; SUM_OCTETS], tile: &Tile<'_>, stretches: usize) {
    // SAFETY: reads 64 bytes of shapes and all planes of the panels, writes the sums, all of which
    // exist; the tile registers are free again at the end.
    unsafe {
        asm!(
            "ldtilecfg [{digits}]",
            "xor {stretch:e}, {stretch:e}",
            // For every stretch of both panels ...
            "2:",
            "xor {s:e}, {s:e}",
            // ... and every s: go on with its sums ...
            "3:",
            "tilezero tmm0",
            "tilezero tmm1",
            "mov {right}, {s}",
            "shl {right}, 11",
            "lea {sum}, [{sums} + {right}]",
            "add {right}, {rhs}",
            "mov {left}, {lhs}",
            "lea {digits}, [{s} + 1]",
            "test {stretch}, {stretch}",
            "jz 4f",
            "tileloadd tmm0, [{sum} + {row_bytes}]",
            "tileloadd tmm1, [{sum} + {row_bytes} + 1024]",
            // ... by plane 0 on the left and s on the right, to s on the left and 0 on the right.
            "4:",
            "tileloadd tmm2, [{left} + {row_bytes}]",
            "tileloadd tmm3, [{right} + {row_bytes}]",
            "tdpbuud tmm0, tmm2, tmm3",
            "cmp {cols}, 16",
            "jbe 5f",
            "tileloadd tmm3, [{right} + {row_bytes} + 1024]",
            "tdpbuud tmm1, tmm2, tmm3",
            "5:",
            "add {left}, 1024",
            "sub {right}, 2048",
            "dec {digits}",
            "jnz 4b",
            "tilestored [{sum} + {row_bytes}], tmm0",
            "tilestored [{sum} + {row_bytes} + 1024], tmm1",
            "inc {s}",
            "cmp {s}, 8",
            "jb 3b",
            "add {lhs}, 8192",
            "add {rhs}, 16384",
            "inc {stretch}",
            "cmp {stretch}, {stretches}",
            "jb 2b",
            "tilerelease",
            lhs = inout(reg) tile.lhs.as_ptr() => _,
            rhs = inout(reg) tile.rhs.as_ptr() => _,
            cols = in(reg) tile.cols,
            sums = in(reg) sums.as_mut_ptr(),
            stretches = in(reg) stretches,
            row_bytes = in(reg) STEPS,
            stretch = out(reg) _,
            s = out(reg) _,
            sum = out(reg) _,
            left = out(reg) _,
            right = out(reg) _,
            digits = inout(reg) &Shapes::of(tile.rows) => _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            options(nostack),
        );
    }
}

/// Adds the sums for every s, each at its place, to the output.
///
/// # Safety
/// The processor must have the instructions, and `out` the rows and columns.
#[target_feature(enable = "avx512f")]
unsafe fn add_sums(sums: &[Octet; SUM_OCTETS], tile: &Tile<'_>, out: *mut u64, out_down: usize) {
    let sums: *const u32 = sums.as_ptr().cast();
    for row in 0..tile.rows {
        for half in 0..tile.cols.div_ceil(SIDE) {
            let sums = sums.wrapping_add((half * SIDE + row) * SIDE);
            // SAFETY: the sums for each s have two tiles, each of 16 rows of 16.
            let digits: [__m512i; DIGITS] = std::array::from_fn(|s| unsafe {
                _mm512_loadu_si512(sums.add(s * COLS * SIDE).cast())
            });
            let upper = _mm512_add_epi32(
                _mm512_add_epi32(digits[4], _mm512_slli_epi32::<8>(digits[5])),
                _mm512_add_epi32(
                    _mm512_slli_epi32::<16>(digits[6]),
                    _mm512_slli_epi32::<24>(digits[7]),
                ),
            );
            let parts = [digits[0], digits[1], digits[2], digits[3], upper];
            let octets = [
                words(parts.map(|part| _mm512_castsi512_si256(part))),
                words(parts.map(|part| _mm512_extracti64x4_epi64::<1>(part))),
            ];
            for (octet, col) in octets.into_iter().zip((half * SIDE..tile.cols).step_by(LANES)) {
                let mask: __mmask8 = 0xff >> (LANES - (tile.cols - col).min(LANES));
                let at = out.wrapping_add(row * out_down + col).cast();
                // SAFETY: the output has these words, and masked lanes are left alone.
                unsafe {
                    let old = _mm512_maskz_loadu_epi64(mask, at);
                    _mm512_mask_storeu_epi64(at, mask, _mm512_add_epi64(old, octet));
                }
            }
        }
    }
}

/// Eight words of the sums for s = 0 to 3, and for the rest together.
#[inline]
#[target_feature(enable = "avx512f")]
fn words(parts: [__m256i; 5]) -> __m512i {
    let [d0, d1, d2, d3, upper] = parts.map(|part| _mm512_cvtepu32_epi64(part));
    let low = _mm512_add_epi64(d0, _mm512_slli_epi64::<8>(d1));
    let middle = _mm512_add_epi64(_mm512_slli_epi64::<16>(d2), _mm512_slli_epi64::<24>(d3));
    let high = _mm512_slli_epi64::<32>(upper);
    _mm512_add_epi64(_mm512_add_epi64(low, middle), high)
}
