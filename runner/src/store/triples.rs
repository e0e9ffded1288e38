//! The ledger of triples: which blocks are here, and that none is used twice.
//!
//! A block counts while it has a row. Its row is removed durably *before* its file is read
//! for use, so that whatever happens then, also a crash in between, it is not used again;
//! a file without a row is removed at start.

use super::{Store, StoreError};
use crate::digest::Digest;
use crate::files::{self, FileError};
use crate::triples::StockOffer;
use rusqlite::OptionalExtension;
use std::collections::BTreeSet;
use std::fs;

/// The tables, beside those of [`super::LAYOUT`].
pub(super) const LAYOUT: &str = "
    CREATE TABLE stocks (
        stock BLOB PRIMARY KEY,
        next INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE blocks (
        stock BLOB NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (stock, number)
    ) STRICT, WITHOUT ROWID;
";

impl Store {
    /// What is here of a stock.
    ///
    /// # Errors
    /// When the database fails.
    pub fn stock(&self, stock: &Digest) -> Result<StockOffer, StoreError> {
        let database = self.database();
        let next: Option<i64> = database
            .query_row("SELECT next FROM stocks WHERE stock = ?", [stock.0], |row| row.get(0))
            .optional()?;
        let mut query =
            database.prepare("SELECT number FROM blocks WHERE stock = ? ORDER BY number")?;
        let mut blocks: Vec<(u64, u64)> = Vec::new();
        for number in query.query_map([stock.0], |row| row.get::<_, i64>(0))? {
            let number = number?.cast_unsigned();
            match blocks.last_mut() {
                Some((_, end)) if *end == number => *end += 1,
                _ => blocks.push((number, number.saturating_add(1))),
            }
        }
        Ok(StockOffer { stock: *stock, next: next.unwrap_or(0).cast_unsigned(), blocks })
    }

    /// Adds a block durably, under a number that was never given before.
    ///
    /// # Errors
    /// When the disk is full, the database fails or the number was given before.
    pub fn add_block(&self, stock: &Digest, number: u64, sealed: &[u8]) -> Result<(), StoreError> {
        let path = self.path("triples", &file_name(stock, number));
        let number = i64::try_from(number)
            .map_err(|_| StoreError::Damaged("the numbers of blocks are used up".into()))?;
        let mut database = self.database();
        let transaction = database.transaction()?;
        let given = transaction.execute(
            "INSERT INTO stocks (stock, next) VALUES (?1, ?2 + 1)
             ON CONFLICT DO UPDATE SET next = ?2 + 1 WHERE next <= ?2",
            (stock.0, number),
        )?;
        if given == 0 {
            return Err(StoreError::Damaged(format!("block {number} was given before")));
        }
        transaction.execute("INSERT INTO blocks VALUES (?, ?)", (stock.0, number))?;
        files::write_atomic(&path, sealed)?;
        Ok(transaction.commit()?)
    }

    /// Takes a block out for use: from now on it is not here any more, whatever happens.
    ///
    /// # Errors
    /// [`StoreError::NoBlock`] when it was used before, or when the database or the disk fails.
    pub fn take_block(&self, stock: &Digest, number: u64) -> Result<Vec<u8>, StoreError> {
        let missing = || StoreError::NoBlock { stock: *stock, number };
        let key = i64::try_from(number).map_err(|_| missing())?;
        let taken = self
            .database()
            .execute("DELETE FROM blocks WHERE stock = ? AND number = ?", (stock.0, key))?;
        if taken == 0 {
            return Err(missing());
        }
        let path = self.path("triples", &file_name(stock, number));
        let sealed =
            fs::read(&path).map_err(|source| FileError::Read { path: path.clone(), source })?;
        fs::remove_file(&path).map_err(|source| FileError::Write { path, source })?;
        Ok(sealed)
    }

    pub(super) fn block_files(&self) -> Result<BTreeSet<String>, StoreError> {
        let database = self.database();
        let mut query = database.prepare("SELECT stock, number FROM blocks")?;
        let rows = query.query_map([], |row| {
            Ok(file_name(&Digest(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned()))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn file_name(stock: &Digest, number: u64) -> String {
    format!("{stock}-{number}.triples")
}
