//! What an iteration asks of the system once training goes steadily: no buffers, only small change.

use benches::network_a::{blueprint, data, rows_of};
use mpc_core::security::{Malicious, Security, SemiHonest};
use mpc_core::testing::run3;
use nn::engine::Mpc;
use nn::seed::Seed;
use nn::train::Trainer;

#[global_allocator]
static COUNTED: dhat::Alloc = dhat::Alloc;

/// Iterations after which all buffers are there, whoever helps where.
const WARM_UP: usize = 12;
const ITERATIONS: usize = 6;

/// Blocks and bytes that a party asks for in an iteration, in the mean.
fn asked_for<S: Security>() -> [u64; 2] {
    let blueprint = blueprint();
    let blueprint = &blueprint;
    let [counts, ..] = run3::<S, _, _>(1, |ctx| async move {
        let data = data(ctx.party());
        let engine = Mpc::new(ctx);
        let mut trainer = Trainer::new(&engine, blueprint, data, &Seed::from_number(1)).await?;
        let mut before = dhat::HeapStats::get();
        for batch in 0..WARM_UP + ITERATIONS {
            if batch == WARM_UP {
                before = dhat::HeapStats::get();
            }
            trainer = trainer.batch(&engine, &rows_of(batch)).await?;
        }
        let after = dhat::HeapStats::get();
        Ok([after.total_blocks - before.total_blocks, after.total_bytes - before.total_bytes])
    });
    // All three are counted together, and are never more than a round apart.
    counts.map(|count| count / (3 * ITERATIONS as u64))
}

#[test]
fn a_steady_iteration_asks_for_no_buffers() {
    let profiler = match std::env::var_os("TERCET_HEAP") {
        // Where every block was asked for, for the viewer of DHAT.
        Some(file) => dhat::Profiler::builder().file_name(file).build(),
        None => dhat::Profiler::builder().testing().build(),
    };
    // The messages alone are 3.4 and 3.6 million bytes.
    for (mode, [blocks, bytes], most) in [
        (SemiHonest::NAME, asked_for::<SemiHonest>(), 2_000_000),
        (Malicious::NAME, asked_for::<Malicious>(), 8_000_000),
    ] {
        println!("{mode}: {blocks} blocks, {bytes} bytes a party and iteration");
        assert!(bytes < most, "{mode}: {bytes} bytes");
    }
    drop(profiler);
}
