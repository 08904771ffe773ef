//! A request of a framework without an adapter.

use portcullis::{Gate, Refusal};

struct Call;

async fn handle(gate: &Gate, call: &Call) -> Result<(), Refusal> {
    let _who = gate.authenticate(call).await?;
    Ok(())
}
