//! Triples in stock: what a computation needs, blocks of it, and how blocks are made.
//!
//! A [`Block`] holds the triples of one run of a computation, for instance of one batch.
//! The random factors come from pairwise streams, so a block keeps their two seeds and the
//! products alone.

use crate::and::and;
use crate::mul::{Operand, column_dot, matmul, mul};
use crate::verify::verify;
use futures_util::future::try_join_all;
use mpc_core::ctx::Ctx;
use mpc_core::error::{Error, Result};
use mpc_core::ring::Z64;
use mpc_core::ring::bits::tail_mask;
use mpc_core::ring::prg::Prg;
use mpc_core::security::Security;
use mpc_core::share::{Arith, Bin, Words};
use mpc_core::triples::{ProductShape, Supply, Triple, TripleSource};
use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Length of a seed.
const SEED_BYTES: usize = 16;

/// How many products of which shapes a computation does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs(BTreeMap<ProductShape, usize>);

impl Needs {
    /// Adds one product.
    pub fn add(&mut self, shape: ProductShape) {
        *self.0.entry(shape).or_default() += 1;
    }

    /// Shapes with their numbers, in the order in which a block holds them.
    pub fn iter(&self) -> impl Iterator<Item = (&ProductShape, usize)> {
        self.0.iter().map(|(shape, count)| (shape, *count))
    }

    /// Multiplications of words and ANDs of bits that a block serves for.
    pub fn multiplications(&self) -> u64 {
        self.iter().map(|(shape, count)| shape.multiplications() * count as u64).sum()
    }

    /// Words of the products in a block, in a component.
    fn product_words(&self) -> usize {
        self.iter().map(|(shape, count)| shape.words()[2] * count).sum()
    }

    /// Bytes of a block.
    pub fn block_bytes(&self) -> usize {
        2 * SEED_BYTES + 2 * 8 * self.product_words()
    }

    /// One shape a triple.
    fn each(&self) -> impl Iterator<Item = &ProductShape> {
        self.iter().flat_map(|(shape, count)| std::iter::repeat_n(shape, count))
    }
}

/// Counts the products of a dry run.
#[derive(Clone, Default)]
pub struct Counter(Rc<RefCell<Needs>>);

impl Counter {
    /// What was counted so far.
    pub fn needs(&self) -> Needs {
        self.0.borrow().clone()
    }
}

impl TripleSource for Counter {
    fn take(&mut self, shape: &ProductShape) -> Result<Supply> {
        self.0.borrow_mut().add(*shape);
        Ok(Supply::Dry)
    }

    fn left_over(&self) -> usize {
        0
    }
}

/// One party's shares of the triples of one run of a computation. Wiped when dropped.
pub struct Block {
    /// Of the streams of factors common with the previous and the next party.
    seeds: [Seed; 2],
    /// Both components of all products, in the order of the needs.
    products: [Words; 2],
}

#[derive(Zeroize, ZeroizeOnDrop)]
struct Seed([u8; SEED_BYTES]);

/// The random factors of a triple.
enum Factors {
    Words([Arith<Z64>; 2]),
    Bits([Bin; 2]),
}

impl Block {
    /// Makes the triples of a block and, in the malicious mode, verifies them.
    ///
    /// # Cost
    /// One round and those of [`verify`]; one ring element or bit per element of the
    /// products and party.
    ///
    /// # Security
    /// The factors are pseudo-random sharings, which nobody knows. Products are re-shared
    /// and all of them are verified at once; a block that is not right does not come to be,
    /// with the error probability of a verification.
    ///
    /// # Errors
    /// As for [`verify`].
    pub async fn make<S: Security>(ctx: &Ctx<S>, needs: &Needs) -> Result<Block> {
        let mut draw = ctx.draw();
        let mut seeds = [Seed([0; SEED_BYTES]), Seed([0; SEED_BYTES])];
        draw.with_prev.fill_bytes(&mut seeds[0].0);
        draw.with_next.fill_bytes(&mut seeds[1].0);
        let products = needs.each().zip(factors(needs, &seeds)).map(|(shape, factors)| {
            let ctx = ctx.step("product");
            async move { product(&ctx, shape, &factors).await }
        });
        let made = try_join_all(products).await?;
        verify(&ctx.step("check")).await?;
        let join = |component: usize| -> Words {
            let words: Vec<&[u64]> = made.iter().map(|made| &made[component][..]).collect();
            words.concat().into()
        };
        Ok(Block { seeds, products: [join(0), join(1)] })
    }

    /// The block as bytes, to be encrypted and stored.
    pub fn to_bytes(&self) -> zeroize::Zeroizing<Vec<u8>> {
        let words: usize = self.products.iter().map(|words| words.len()).sum();
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(2 * SEED_BYTES + 8 * words));
        self.seeds.iter().for_each(|seed| bytes.extend_from_slice(&seed.0));
        for word in self.products.iter().flat_map(|words| words.iter()) {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads a block of a computation with these needs.
    ///
    /// # Errors
    /// `Triples` when the length is another.
    pub fn from_bytes(needs: &Needs, bytes: &[u8]) -> Result<Block> {
        let expected = needs.block_bytes();
        if bytes.len() != expected {
            let found = bytes.len();
            return Err(Error::Triples(format!("a block of {found} instead of {expected} bytes")));
        }
        let (seeds, products) = bytes.split_at(2 * SEED_BYTES);
        let seed = |at: usize| {
            let mut seed = Seed([0; SEED_BYTES]);
            seed.0.copy_from_slice(&seeds[at * SEED_BYTES..][..SEED_BYTES]);
            seed
        };
        let (first, second) = products.split_at(products.len() / 2);
        let words = |bytes: &[u8]| -> Words {
            let (words, _) = bytes.as_chunks::<8>();
            words.iter().map(|word| u64::from_le_bytes(*word)).collect()
        };
        Ok(Block { seeds: [seed(0), seed(1)], products: [words(first), words(second)] })
    }

    /// The triples of a block of a computation with these needs.
    ///
    /// # Errors
    /// `Triples` when the block was made for other needs.
    pub fn into_triples(self, needs: &Needs) -> Result<Bag> {
        let [first, second] = &self.products;
        if first.len() != needs.product_words() {
            return Err(Error::Triples("a block that was made for another computation".into()));
        }
        let mut bag = Bag::default();
        let mut start = 0;
        for (shape, factors) in needs.each().zip(factors(needs, &self.seeds)) {
            let end = start + shape.words()[2];
            let [first, second] = [first, second].map(|words| Words::from(&words[start..end]));
            start = end;
            let triple = match factors {
                Factors::Words([a, b]) => {
                    let c = Arith::from_components(shape.product(), first, second);
                    Supply::Words(Triple::new(a, b, c))
                }
                Factors::Bits([a, b]) => {
                    let c = Bin::from_components(a.lanes(), a.planes(), first, second);
                    Supply::Bits(Triple::new(a, b, c))
                }
            };
            bag.0.entry(*shape).or_default().push_back(triple);
        }
        Ok(bag)
    }
}

/// The factors of all triples, in order.
fn factors(needs: &Needs, seeds: &[Seed; 2]) -> impl Iterator<Item = Factors> {
    let mut streams = seeds.each_ref().map(|seed| Prg::new(&seed.0));
    needs.each().map(move |shape| {
        let mut draw = |words: usize| {
            streams.each_mut().map(|stream| {
                let mut component = Words::zeroed(words);
                stream.fill_words(&mut component);
                component
            })
        };
        let [left, right, _] = shape.words();
        let mut matrix = |words, shape| {
            let [first, second] = draw(words);
            Arith::from_components(shape, first, second)
        };
        match *shape {
            ProductShape::Elementwise(shape) | ProductShape::ColumnDot(shape) => {
                Factors::Words([matrix(left, shape), matrix(right, shape)])
            }
            ProductShape::Matrix { left: x, right: y, .. } => {
                Factors::Words([matrix(left, x), matrix(right, y)])
            }
            ProductShape::And { lanes, planes } => Factors::Bits([left, right].map(|words| {
                let [mut first, mut second] = draw(words);
                clear_tails(&mut first, lanes);
                clear_tails(&mut second, lanes);
                Bin::from_components(lanes, planes, first, second)
            })),
        }
    })
}

fn clear_tails(planes: &mut [u64], lanes: usize) {
    let (stride, tail) = (lanes.div_ceil(64).max(1), tail_mask(lanes));
    planes.chunks_exact_mut(stride).for_each(|plane| plane[stride - 1] &= tail);
}

/// Both components of the product of two factors.
async fn product<S: Security>(
    ctx: &Ctx<S>,
    shape: &ProductShape,
    factors: &Factors,
) -> Result<[Words; 2]> {
    let components = |z: Arith<Z64>| [z.first().to_vec().into(), z.second().to_vec().into()];
    match (factors, shape) {
        (Factors::Words([a, b]), ProductShape::Matrix { transposed, .. }) => {
            let [x, y] = [(a, transposed[0]), (b, transposed[1])].map(|(share, transposed)| {
                if transposed { Operand::transposed(share) } else { Operand::plain(share) }
            });
            matmul(ctx, x, y).await.map(components)
        }
        (Factors::Words([a, b]), ProductShape::ColumnDot(_)) => {
            column_dot(ctx, a, b).await.map(components)
        }
        (Factors::Words([a, b]), _) => mul(ctx, a, b).await.map(components),
        (Factors::Bits([a, b]), _) => {
            let c = and(ctx, a, b).await?;
            Ok([c.first().to_vec().into(), c.second().to_vec().into()])
        }
    }
}

/// The triples of a block, handed out by shape.
#[derive(Default)]
pub struct Bag(BTreeMap<ProductShape, VecDeque<Supply>>);

impl TripleSource for Bag {
    fn take(&mut self, shape: &ProductShape) -> Result<Supply> {
        let triple = self.0.get_mut(shape).and_then(VecDeque::pop_front);
        triple.ok_or_else(|| Error::Triples(format!("none is left for a product of {shape:?}")))
    }

    fn left_over(&self) -> usize {
        self.0.values().map(VecDeque::len).sum()
    }
}
