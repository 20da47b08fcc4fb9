//! Opening: the file, its lock, what it says of itself.
//!
//! A log that begins is written to a file of another name, which gets its own when it is complete. So a file of that name
//! is a log, or an error; it is never taken for an empty one.

use std::any::Any;
use std::cell::Cell;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};
use std::thread::sleep;
use std::time::{Duration, Instant};

use ::redb::{Builder, Database, DatabaseError, Error as Failure, ReadableDatabase as _, TableError};

use super::Options;
use super::error::RedbError;
use super::table::{ABOUT, EVENTS, FORMAT, Tables, Tail, about, read_keys, row};
use crate::engine::fresh_epoch;
use crate::engine::once::Once;

/// Nobody is told when a lock is free.
const ASK_AGAIN: Duration = Duration::from_millis(10);

/// The file of a log that has been opened. After an error redb wants to open it anew, so it can be without a database.
pub(super) struct LogFile {
    path: PathBuf,
    database: RwLock<Option<Database>>,
}

/// A log that has been opened.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) epoch: u64,
    pub(super) tail: Tail,
    pub(super) once: Once,
    /// Acknowledged events may be missing.
    pub(super) ahead: bool,
}

impl LogFile {
    pub(super) fn new(path: &Path, database: Database) -> Self {
        Self { path: path.to_owned(), database: RwLock::new(Some(database)) }
    }

    /// Does something with it. What redb's own code panics at is damage, of pages that no checksum covers.
    pub(super) fn with<T>(&self, act: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, RedbError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else {
            return Err(RedbError::Io {
                path: self.path.clone(),
                source: io::Error::other("it is being opened again, after an error"),
            });
        };
        guarded(&self.path, || act(database).map_err(|failure| RedbError::of(&self.path, failure)))
    }

    /// Closes it, once nobody reads.
    pub(super) fn close(&self) {
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        let closed = guarded(&self.path, || {
            database.map_or(Ok(()), Database::close).map_err(|error| RedbError::of(&self.path, error.into()))
        });
        if let Err(error) = closed {
            tracing::debug!(%error, "the log was not closed properly");
        }
    }

    pub(super) fn replace(&self, database: Database) {
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = Some(database);
    }
}

/// Opens the log, or begins one if there is no such file.
pub(super) fn open(options: &Options) -> Result<Opened, RedbError> {
    let path = &options.path;
    let opened = patiently(options, || {
        let exists = path.try_exists().map_err(|source| RedbError::Io { path: path.clone(), source })?;
        let begun = if exists { None } else { begin(options)? };
        begun.map_or_else(|| existing(options), Ok)
    })?;
    if !opened.ahead {
        return Ok(opened);
    }
    tracing::warn!(
        ?path,
        "the log was ahead of the disk when its process ended: it begins anew, with another epoch"
    );
    let Opened { database, .. } = opened;
    let epoch = fresh_epoch();
    guarded(path, || empty(&database, epoch, 0, false).map_err(|failure| RedbError::of(path, failure)))?;
    Ok(Opened { database, epoch, tail: Tail::default(), once: options.once(), ahead: false })
}

/// Opens a log that has been open, as it is.
pub(super) fn open_again(options: &Options) -> Result<Opened, RedbError> {
    patiently(options, || existing(options))
}

/// Waits for the file's lock, for so long as it may.
fn patiently(options: &Options, open: impl Fn() -> Result<Opened, RedbError>) -> Result<Opened, RedbError> {
    let begun = Instant::now();
    loop {
        match guarded(&options.path, &open) {
            Err(RedbError::InUse { .. }) if begun.elapsed() < options.lock_timeout => sleep(ASK_AGAIN),
            outcome => return outcome,
        }
    }
}

fn existing(options: &Options) -> Result<Opened, RedbError> {
    let path = &options.path;
    let database = open_file(options).map_err(|error| RedbError::of(path, error.into()))?;
    identify(options, database)
}

#[cfg(not(test))]
fn open_file(options: &Options) -> Result<Database, DatabaseError> {
    builder(options).open(&options.path)
}

/// The same, on a disk that fails when it is told to.
#[cfg(test)]
fn open_file(options: &Options) -> Result<Database, DatabaseError> {
    let file = File::options().read(true).write(true).open(&options.path)?;
    builder(options).create_with_backend(super::faults::Disk::new(file, &options.faults)?)
}

/// What the log says of itself; an error, if it is none.
fn identify(options: &Options, database: Database) -> Result<Opened, RedbError> {
    let (path, mut once) = (&options.path, options.once());
    let said = look(&database, &mut once).map_err(|failure| RedbError::of(path, failure))?;
    match said {
        None => Err(RedbError::Foreign {
            path: path.to_owned(),
            reason: "it is a redb database of something else".to_owned(),
        }),
        Some(Said { format: 0, .. } | Said { epoch: 0, .. }) => {
            Err(RedbError::damaged(path, "it does not say which log it is"))
        }
        Some(Said { format, tail: None, .. }) => {
            Err(RedbError::Newer { path: path.to_owned(), format, known: FORMAT })
        }
        Some(Said { epoch, ahead, tail: Some(tail), .. }) => {
            Ok(Opened { database, epoch, tail, once, ahead })
        }
    }
}

struct Said {
    format: u64,
    epoch: u64,
    ahead: bool,
    /// None if the format is another one: what else is there is not to be looked at.
    tail: Option<Tail>,
}

fn look(database: &Database, once: &mut Once) -> Result<Option<Said>, Failure> {
    let transaction = database.begin_read()?;
    let about = match transaction.open_table(ABOUT) {
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        about => about?,
    };
    let format = row(&about, about::FORMAT)?;
    let tail = match format {
        FORMAT => {
            read_keys(&transaction, once)?;
            Some(Tail::read(&about, &transaction.open_table(EVENTS)?)?)
        }
        _ => None,
    };
    let (epoch, ahead) = (row(&about, about::EPOCH)?, row(&about, about::AHEAD)? != 0);
    Ok(Some(Said { format, epoch, ahead, tail }))
}

/// Begins a log; none, if somebody else was faster.
fn begin(options: &Options) -> Result<Option<Opened>, RedbError> {
    let path = &options.path;
    let io = |source| RedbError::Io { path: path.clone(), source };
    let unfinished = unfinished(path);
    let outcome = (|| {
        let database =
            builder(options).create(&unfinished).map_err(|error| RedbError::of(path, error.into()))?;
        let epoch = fresh_epoch();
        empty(&database, epoch, 0, false).map_err(|failure| RedbError::of(path, failure))?;
        // A name that is taken is refused, unlike with `rename`.
        match fs::hard_link(&unfinished, path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            // Of file systems without such links.
            Err(_) => fs::rename(&unfinished, path).map_err(io)?,
        }
        Ok(Some(Opened { database, epoch, tail: Tail::default(), once: options.once(), ahead: false }))
    })();
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    let opened = outcome?;
    // The name is to survive a loss of power, too. Not every system has folders that can be opened.
    if let Ok(folder) = File::open(folder(path)) {
        folder.sync_all().map_err(io)?;
    }
    Ok(opened)
}

/// Empties the log: it goes on with this epoch, above this number.
pub(super) fn empty(database: &Database, epoch: u64, top: u64, ahead: bool) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    let mut tables = Tables::begin_anew(&transaction, epoch, top)?;
    tables.about.insert(about::AHEAD, u64::from(ahead))?;
    drop(tables);
    Ok(transaction.commit()?)
}

/// Says whether what is acknowledged from now on may be ahead of the disk.
pub(super) fn say_ahead(database: &Database, ahead: bool) -> Result<(), Failure> {
    let transaction = database.begin_write()?;
    let mut table = transaction.open_table(ABOUT)?;
    let said = table.insert(about::AHEAD, u64::from(ahead))?.map(|before| before.value() != 0);
    drop(table);
    if said == Some(ahead) { Ok(transaction.abort()?) } else { Ok(transaction.commit()?) }
}

fn builder(options: &Options) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache);
    let (path, said) = (options.path.clone(), Cell::new(false));
    builder.set_repair_callback(move |_| {
        if !said.replace(true) {
            tracing::info!(?path, "the log was not closed when its process ended: it is checked first");
        }
    });
    builder
}

/// The name of a log that is not complete yet: nobody else's.
fn unfinished(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(format!(".{}-{:x}.new", std::process::id(), fastrand::u64(..)));
    name.into()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Makes an error of a panic: redb trusts what it reads of a file that was closed properly.
pub(super) fn guarded<T>(path: &Path, act: impl FnOnce() -> Result<T, RedbError>) -> Result<T, RedbError> {
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|panic| Err(RedbError::damaged(path, text_of(&*panic))))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("redb panicked").to_owned()
}
