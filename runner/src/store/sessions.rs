//! Sessions that ran or run here, and their model shares.

use super::submissions::parsed;
use super::{Store, StoreError};
use crate::control::{FaultKind, FinishedSession, SessionEnd, SessionFault, decode, encode};
use crate::digest::Digest;
use crate::evidence::Evidence;
use crate::files::{self, FileError};
use crate::identity::Name;
use jiff::Timestamp;
use mpc_core::net::SessionId;
use rusqlite::OptionalExtension;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// Most sessions that are listed for a job.
const MAX_LISTED: i64 = 100;

/// A session that begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSession {
    /// Its id.
    pub session: SessionId,
    /// Digest of the job.
    pub job: Digest,
    /// Name of the job.
    pub job_name: String,
    /// Who started it.
    pub client: Name,
    /// Who may fetch the model.
    pub receiver: Name,
}

/// What is known of a session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// Who may fetch the model.
    pub receiver: Name,
    /// How it ended; `None` while it runs.
    pub end: Option<SessionEnd>,
    /// Whether it left something for its receiver.
    pub has_share: bool,
}

impl Store {
    /// Notes that a session begins; an id can be used once only.
    ///
    /// # Errors
    /// [`StoreError::SessionUsed`], or when the database fails.
    pub fn begin_session(&self, new: &NewSession) -> Result<(), StoreError> {
        let inserted = self.database().execute(
            "INSERT INTO sessions (session, job, job_name, client, receiver, started)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                new.session.0,
                new.job.0,
                &new.job_name,
                new.client.as_str(),
                new.receiver.as_str(),
                Timestamp::now().to_string(),
            ),
        )?;
        match inserted {
            0 => Err(StoreError::SessionUsed(new.session.to_string())),
            _ => Ok(()),
        }
    }

    /// Stores what a session leaves for its receiver, a share of a model or of answers, and
    /// notes that the session finished; durable when this returns.
    ///
    /// # Errors
    /// When the disk is full or the database fails.
    pub fn finish_session(
        &self,
        session: SessionId,
        end: &SessionEnd,
        model: &[u8],
    ) -> Result<(), StoreError> {
        files::write_atomic(&self.path("models", &file_name(session)), model)?;
        self.note_end(session, end, true)
    }

    /// Keeps what this party saw of a session that broke off, and returns where.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_evidence(&self, evidence: &Evidence) -> Result<PathBuf, StoreError> {
        let path = self.path("evidence", &format!("{}.json", evidence.session));
        files::write_atomic(&path, evidence.to_json().as_bytes())?;
        Ok(path)
    }

    /// Notes how a session ended that leaves no model.
    ///
    /// # Errors
    /// When the database fails.
    pub fn end_session(&self, session: SessionId, end: &SessionEnd) -> Result<(), StoreError> {
        self.note_end(session, end, false)
    }

    fn note_end(
        &self,
        session: SessionId,
        end: &SessionEnd,
        model: bool,
    ) -> Result<(), StoreError> {
        let outcome = encode(end).map_err(|e| StoreError::Damaged(e.to_string()))?;
        self.database().execute(
            "UPDATE sessions SET ended = ?, finished = ?, outcome = ? WHERE session = ?",
            (Timestamp::now().to_string(), model, outcome, session.0),
        )?;
        Ok(())
    }

    /// What is known of a session.
    ///
    /// # Errors
    /// When the database fails.
    pub fn session(&self, session: SessionId) -> Result<Option<SessionRow>, StoreError> {
        let found = self
            .database()
            .query_row(
                "SELECT receiver, outcome, finished FROM sessions WHERE session = ?",
                [session.0],
                |row| Ok((parsed(row, 0)?, row.get::<_, Option<Vec<u8>>>(1)?, row.get(2)?)),
            )
            .optional()?;
        let Some((receiver, outcome, has_share)) = found else { return Ok(None) };
        let end = outcome.map(|bytes| decode(&bytes)).transpose();
        let end = end.map_err(|e| StoreError::Damaged(format!("session {session}: {e}")))?;
        Ok(Some(SessionRow { receiver, end, has_share }))
    }

    /// The sessions of a job that have a model here, latest first.
    ///
    /// # Errors
    /// When the database fails.
    pub fn finished_sessions(&self, job: &Digest) -> Result<Vec<FinishedSession>, StoreError> {
        let database = self.database();
        let mut query = database.prepare(
            "SELECT session, ended, receiver FROM sessions WHERE job = ? AND finished = 1
             ORDER BY ended DESC LIMIT ?",
        )?;
        let rows = query.query_map((job.0, MAX_LISTED), |row| {
            Ok(FinishedSession {
                session: SessionId(row.get(0)?),
                finished: parsed(row, 1)?,
                receiver: parsed(row, 2)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// What a session left for its receiver.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn model_share(&self, session: SessionId) -> Result<Vec<u8>, StoreError> {
        let path = self.path("models", &file_name(session));
        Ok(fs::read(&path).map_err(|source| FileError::Read { path, source })?)
    }

    pub(super) fn model_files(&self) -> Result<BTreeSet<String>, StoreError> {
        let database = self.database();
        let mut query = database.prepare("SELECT session FROM sessions WHERE finished = 1")?;
        let rows = query.query_map([], |row| Ok(file_name(SessionId(row.get(0)?))))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Sessions without an end were running when the process died.
    pub(super) fn mark_interrupted(&self) -> Result<(), StoreError> {
        let end = SessionEnd::Failed(SessionFault {
            kind: FaultKind::Internal,
            peer: None,
            step: None,
            message: "the node was stopped while the session ran".into(),
        });
        let outcome = encode(&end).map_err(|e| StoreError::Damaged(e.to_string()))?;
        let count = self.database().execute(
            "UPDATE sessions SET ended = ?, outcome = ? WHERE outcome IS NULL",
            (Timestamp::now().to_string(), outcome),
        )?;
        if count > 0 {
            tracing::warn!(count, "sessions were interrupted when the node stopped");
        }
        Ok(())
    }
}

fn file_name(session: SessionId) -> String {
    format!("{session}.model")
}
