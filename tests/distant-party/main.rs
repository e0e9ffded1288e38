//! A compute party that is far from the others: the node of the product, whose messages in the
//! computation take as long as over the link that the environment variable `LINK` names.
//!
//! It takes the arguments of `tercet party`, of which it needs `--config FILE`. All three
//! parties have to be such nodes, and on one machine: the sender says when a message arrives.

use mpc_core::net::clock::Clock;
use mpc_core::net::{LinkSpec, Shaped, Transport};
use runner::node::{Node, NodeConfig, Server};
use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let config = args.iter().position(|arg| arg == "--config").map(|at| &args[at + 1]);
    let config = NodeConfig::load(Path::new(config.expect("--config FILE"))).expect("it is valid");
    let shape = |links| -> Box<dyn Transport> {
        let link = std::env::var("LINK").expect("LINK says how slow the links are");
        let link: LinkSpec = link.parse().expect("it is a link");
        Box::new(Shaped::new(links, link, Clock::Wall, 0))
    };
    let node = Node::open_with(config, shape).expect("the node opens");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let server = Server::bind(node).await.expect("the address is free");
        println!("{}", serde_json::json!({ "event": "listening" }));
        server.run(std::future::pending()).await;
    });
}
