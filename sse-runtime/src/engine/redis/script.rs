//! What the server does in one step, in Lua.

use std::io;
use std::sync::LazyLock;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, RedisResult, Script as Source, cmd};
use tokio::time::timeout;

/// What all calls have, more or less.
const ARGUMENTS: usize = 16;

/// A script, which the server keeps under its hash.
pub(super) struct Script {
    code: &'static str,
    hash: LazyLock<String>,
}

macro_rules! script {
    ($file:literal) => {
        Script {
            code: include_str!($file),
            hash: LazyLock::new(|| Source::new(include_str!($file)).get_hash().to_owned()),
        }
    };
}

pub(super) static JOIN: Script = script!("join.lua");
pub(super) static PUBLISH: Script = script!("publish.lua");
pub(super) static MARK: Script = script!("mark.lua");
pub(super) static READ: Script = script!("read.lua");

impl Script {
    /// A call with so many keys, which are the first arguments.
    pub(super) fn call(&self, keys: usize) -> Cmd {
        self.large_call(keys, 0, 0)
    }

    /// The same, with room for about so many more arguments, and for the bytes of all.
    pub(super) fn large_call(&self, keys: usize, arguments: usize, bytes: usize) -> Cmd {
        let mut call = Cmd::with_capacity(ARGUMENTS + arguments, bytes);
        call.arg("EVALSHA").arg(self.hash.as_str()).arg(keys);
        call
    }
}

/// Makes the scripts known to the server, which forgets them when it ends.
pub(super) async fn load(connection: &mut MultiplexedConnection, limit: Duration) -> RedisResult<()> {
    let loading = async {
        for script in [&JOIN, &PUBLISH, &MARK, &READ] {
            cmd("SCRIPT").arg("LOAD").arg(script.code).exec_async(connection).await?;
        }
        Ok(())
    };
    timeout(limit, loading).await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
}
