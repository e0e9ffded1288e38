//! Checks on shares that data are what their schema says.
//!
//! A holder's own software refuses a row that breaks the schema, but a malicious holder does
//! not run it. So the parties check the shares: one bit for each holder's data set is
//! opened, whether any of its rows breaks a rule, and nothing else.

use crate::blueprint::{Column, DataShape, Target};
use crate::engine::Mpc;
use crate::rows::Rows;
use crate::train::Dataset;
use futures_util::future::try_join_all;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Fixed};
use protocols::and::{and, and_all};
use protocols::bounds::{none_set, not_a_bit, outside};
use protocols::inject::inject;
use protocols::open::open;
use protocols::verify::verify;
use std::ops::{ControlFlow, Range};

/// Words that are checked in one go: it bounds the memory and the length of messages.
const BLOCK: usize = 1 << 15;

/// What is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Labels: rows of classes are one-hot, numbers lie in `[-1, 1]`.
    Labels,
    /// Labels and features: indicators are 0 or 1, numbers lie in `[-1, 1]`.
    All,
    /// Features alone, of rows that may have no labels.
    Features,
}

/// Rows that are checked in one go.
pub fn rows_at_a_time(shape: &DataShape, scope: Scope) -> usize {
    let checked = match scope {
        Scope::Labels => shape.target.columns(),
        Scope::All => shape.target.columns() + shape.columns.len(),
        Scope::Features => shape.columns.len(),
    };
    (BLOCK / checked.max(1)).max(1)
}

/// For each data set whether it breaks a rule; `rows` are the lengths of the data sets, in
/// their order.
///
/// `progress` is told how many rows are done, and can end the check. All parties must answer
/// alike.
///
/// # Cost
/// For a word of a label of classes or an indicator 544 bits a party, for a number 364; some 20
/// rounds for each block of 2^15 words. In the malicious mode also their verification.
///
/// # Security
/// Opens one bit for each data set, through [`open`], which in the malicious mode verifies first
/// all products that it depends on.
///
/// # Errors
/// `Shape` when the rows do not add up to the data, `Cancelled`, and those of protocols.
pub async fn broken_rules<S: Security>(
    ctx: &Ctx<S>,
    shape: &DataShape,
    data: &Dataset<Rows<Fixed>>,
    rows: &[usize],
    scope: Scope,
    mut progress: impl FnMut(usize) -> ControlFlow<()>,
) -> Result<Vec<bool>> {
    let engine = Mpc::new(ctx.step("rows"));
    let all: usize = rows.iter().sum();
    let labels = match scope {
        Scope::Features => 0,
        Scope::Labels | Scope::All => shape.target.columns(),
    };
    for (what, columns) in [(&data.features, shape.columns.len()), (&data.labels, labels)] {
        let (left, right) = (what.shape(&engine), [all, columns]);
        if left != right {
            return Err(Error::Shape { op: "check of the inputs", left, right });
        }
    }
    let rows_at_a_time = rows_at_a_time(shape, scope);
    let mut sound = Vec::with_capacity(rows.len());
    let mut start = 0;
    for len in rows {
        let end = start + len;
        let mut of_set = None;
        for first in (start..end).step_by(rows_at_a_time) {
            let stage = ctx.step(&format!("rows-{first}"));
            let block = first..end.min(first + rows_at_a_time);
            let done = block.end;
            let block = sound_rows(&stage, shape, data, block, scope).await?;
            let so_far = match of_set.take() {
                None => block,
                Some(before) => and(&stage.step("so-far"), &before, &block).await?,
            };
            of_set = Some(so_far);
            verify(&stage).await?;
            if progress(done).is_break() {
                return Err(Error::Cancelled { step: stage.path().to_string() });
            }
        }
        sound.extend(of_set.map(|bits| bits.split_plane(64, 1)));
        start = end;
    }
    if sound.len() != rows.len() {
        return Err(Error::Misuse("a data set without rows".into()));
    }
    open_verdicts(&ctx.step("verdicts"), &sound).await
}

/// Opens for each data set, given as 64 planes of one bit, whether one of them is zero.
async fn open_verdicts<S: Security>(ctx: &Ctx<S>, sound: &[Bin]) -> Result<Vec<bool>> {
    if sound.is_empty() {
        return Ok(Vec::new());
    }
    let sound = and_all(&ctx.step("all"), Bin::side_by_side(sound)).await?;
    let broken = inject(&ctx.step("inject"), &sound.not(ctx.party()), 0).await?;
    let opened = open(&ctx.step("open"), &broken).await?;
    Ok(opened.into_iter().map(|bit| bit != 0).collect())
}

/// 64 bits that are all set if the rows obey all rules.
async fn sound_rows<S: Security>(
    ctx: &Ctx<S>,
    shape: &DataShape,
    data: &Dataset<Rows<Fixed>>,
    rows: Range<usize>,
    scope: Scope,
) -> Result<Bin> {
    let rows: Vec<usize> = rows.collect();
    let engine = Mpc::new(ctx.step("rows"));
    let mut rules = Vec::new();
    match shape.target {
        _ if scope == Scope::Features => {}
        Target::Classes(_) => {
            // Bits that add up to one.
            let labels = data.labels.select(&engine, &rows)?;
            let sums = Fixed::new(labels.share.sum_cols(), labels.scale);
            rules.push((Rule::Bit, labels));
            rules.push((Rule::One, sums));
        }
        Target::Numbers(_) => rules.push((Rule::Unit, data.labels.select(&engine, &rows)?)),
    }
    if scope != Scope::Labels {
        let Fixed { share: features, scale } = data.features.select(&engine, &rows)?;
        let features = features.transpose();
        for (kind, rule) in [(Column::Indicator, Rule::Bit), (Column::Bounded, Rule::Unit)] {
            let of_kind: Vec<usize> =
                (0..shape.columns.len()).filter(|&column| shape.columns[column] == kind).collect();
            if !of_kind.is_empty() {
                rules.push((rule, Fixed::new(features.select_rows(&of_kind)?, scale)));
            }
        }
    }
    let checks = rules.iter().map(|(rule, words)| {
        let ctx = ctx.step(rule.name());
        async move { none_set(&ctx.step("none"), &rule.broken(&ctx, words).await?).await }
    });
    let sound = try_join_all(checks).await?;
    and_all(&ctx.step("rules"), Bin::concat(&sound.iter().collect::<Vec<_>>())).await
}

/// What a word may be.
#[derive(Clone, Copy)]
enum Rule {
    /// 0 or 1.
    Bit,
    /// 1.
    One,
    /// From -1 to 1.
    Unit,
}

impl Rule {
    fn name(self) -> &'static str {
        match self {
            Rule::Bit => "bits",
            Rule::One => "sums",
            Rule::Unit => "numbers",
        }
    }

    /// Planes with a bit set where a word breaks the rule.
    async fn broken<S: Security>(self, ctx: &Ctx<S>, words: &Fixed) -> Result<Bin> {
        let (share, one): (&Arith<Z64>, i64) = (&words.share, 1 << words.scale);
        match self {
            Rule::Bit => not_a_bit(ctx, share, words.scale).await,
            Rule::One => outside(ctx, share, one, one).await,
            Rule::Unit => outside(ctx, share, -one, one).await,
        }
    }
}
