//! A compute party that cheats: the node of the product, whose messages in the computation
//! are changed on their way out.
//!
//! It takes the arguments of `tercet party`, of which it needs `--config FILE`. What it does
//! is in the environment variable `CHEAT`: `ROUND:PEER:CHANGE`, where the peer is `prev` or
//! `next`, and the change `flip` (the lowest bit of the first byte), `cut` (the last byte) or
//! `hush` (nothing is sent at all).

use mpc_core::error::Result;
use mpc_core::net::{Round, RoundTag, SessionId, Traffic, Transport};
use mpc_core::party::PartyId;
use runner::node::{Node, NodeConfig, Server};
use std::path::Path;

/// What is done to a message.
#[derive(Clone, Copy)]
enum Change {
    Flip,
    Cut,
    Hush,
}

/// Which message is changed, and how.
#[derive(Clone, Copy)]
struct Cheat {
    round: u64,
    to_prev: bool,
    change: Change,
}

impl Cheat {
    fn from_environment() -> Cheat {
        let text = std::env::var("CHEAT").expect("CHEAT says what to do");
        let [round, peer, change] =
            text.split(':').collect::<Vec<_>>().try_into().expect("ROUND:PEER:CHANGE");
        Cheat {
            round: round.parse().expect("a round"),
            to_prev: match peer {
                "prev" => true,
                "next" => false,
                _ => panic!("a peer is prev or next"),
            },
            change: match change {
                "flip" => Change::Flip,
                "cut" => Change::Cut,
                "hush" => Change::Hush,
                _ => panic!("a change is flip, cut or hush"),
            },
        }
    }
}

/// Links on which a message is changed.
struct Tampering {
    links: Box<dyn Transport>,
    cheat: Cheat,
}

impl Transport for Tampering {
    fn party(&self) -> PartyId {
        self.links.party()
    }

    fn session(&self) -> SessionId {
        self.links.session()
    }

    fn exchange(&mut self, tag: RoundTag<'_>, round: Round<'_>) -> Result<()> {
        let Round { to_prev, to_next, from_prev, from_next } = round;
        let honest = if self.cheat.to_prev { to_prev } else { to_next };
        // The first message from that round on which there is one.
        if tag.round < self.cheat.round || honest.is_empty() {
            let round = Round { to_prev, to_next, from_prev, from_next };
            return self.links.exchange(tag, round);
        }
        self.cheat.round = u64::MAX;
        let mut sent = honest.to_vec();
        match self.cheat.change {
            Change::Flip => sent[0] ^= 1,
            Change::Cut => drop(sent.pop()),
            Change::Hush => sent.clear(),
        }
        let (to_prev, to_next) =
            if self.cheat.to_prev { (&sent[..], to_next) } else { (to_prev, &sent[..]) };
        self.links.exchange(tag, Round { to_prev, to_next, from_prev, from_next })
    }

    fn traffic(&self) -> Traffic {
        self.links.traffic()
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let config = args.iter().position(|arg| arg == "--config").map(|at| &args[at + 1]);
    let config = NodeConfig::load(Path::new(config.expect("--config FILE"))).expect("it is valid");
    let tamper = |links| -> Box<dyn Transport> {
        Box::new(Tampering { links, cheat: Cheat::from_environment() })
    };
    let node = Node::open_with(config, tamper).expect("the node opens");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let server = Server::bind(node).await.expect("the address is free");
        println!("{}", serde_json::json!({ "event": "listening" }));
        server.run(std::future::pending()).await;
    });
}
