//! Whether a ComfyUI server would take what a request becomes. Nothing is queued.

use forgekeeper_domain::{
    error::ErrorInfo,
    generation::GenerationRequest,
    ids::ServiceId,
    migration::{GraphFault, classes, graph_faults},
};
use serde_json::{Map, Value};

use crate::{
    clients::{Painter, no_graph},
    keeper::KeeperHandle,
};

impl KeeperHandle {
    /// What keeps a service from taking the graph of a request: nothing, when the list is empty.
    /// `BadRequest` or `Refused` for a request that it has no equivalent of.
    pub(crate) async fn accepted_graph(
        &self,
        id: &ServiceId,
        request: &GenerationRequest,
    ) -> Result<Vec<GraphFault>, ErrorInfo> {
        let Painter::Comfyui(client) = self.painter(id).await? else {
            return Err(no_graph());
        };
        let graph = client.graph(request).await?;
        let mut info = Map::new();
        for class in classes(&graph) {
            if let Some((class, told)) = client.node(&class).await? {
                info.insert(class, told);
            }
        }
        Ok(graph_faults(&graph, &Value::Object(info)))
    }
}
