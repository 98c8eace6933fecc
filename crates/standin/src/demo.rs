//! The demo host: exactly the site of the founding document, with time moving.

mod cast;
mod history;
mod published;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use crate::faults::{ActiveFault, Fault};
use crate::forge::Build;
use crate::gpu::founding_cards;
use crate::iis::Iis;
use crate::pace::Pace;
use crate::registry::Registry;
use crate::shelf::Shelf;
use crate::site::{Site, SiteError, SiteService, anywhere};

/// Which ports the demo host uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ports {
    /// Any free ones, so that many demo hosts can run side by side.
    #[default]
    Ephemeral,
    /// Those of the founding document: 36525, 17861 and 8188.
    Founding,
}

/// How the demo host is to be.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Speed factor; 10 makes start-up and generation ten times faster.
    pub speed: f64,
    /// Faults that are there from the start, everywhere or for one service.
    pub faults: Vec<(Fault, Option<String>)>,
    /// Which ports to use.
    pub ports: Ports,
    /// `user:password` asked for by both Forge APIs.
    pub auth: Option<(String, String)>,
    /// Which Forge the services run.
    pub build: Build,
    /// Their command line, if not the usual one.
    pub forge_args: Option<String>,
    /// The folder that `myia` has as its workspace, if not one that is only told of.
    pub workspace: Option<std::path::PathBuf>,
    /// Also serve the engine on this Unix socket.
    pub socket: Option<std::path::PathBuf>,
}

impl Default for DemoOptions {
    fn default() -> Self {
        Self {
            speed: 1.0,
            faults: Vec::new(),
            ports: Ports::Ephemeral,
            auth: None,
            build: Build::Image,
            forge_args: None,
            workspace: None,
            socket: None,
        }
    }
}

/// A running demo host. Dropping it ends everything; [`DemoSite::shutdown`] also waits.
#[derive(Debug)]
pub struct DemoSite {
    site: Arc<Site>,
    engine: SocketAddr,
    control: SocketAddr,
    shelf: Shelf,
    iis: Iis,
    registry: Arc<Registry>,
    /// Where the target of the migration is to answer.
    target: SocketAddr,
}

impl DemoSite {
    /// Starts the host; when this returns all services answer.
    pub async fn start(options: DemoOptions) -> Result<Self, SiteError> {
        let mut site = Site::new(Pace::new(options.speed), founding_cards());
        let shelf = Shelf::new().map_err(|source| SiteError::Open {
            what: "folder of models".into(),
            source,
        })?;
        cast::people(&mut site, &options, &shelf)?;
        let open = |what: &str| {
            let what = what.to_owned();
            move |source| SiteError::Open { what, source }
        };
        let engine = site
            .engine
            .serve_tcp(anywhere())
            .await
            .map_err(open("engine endpoint"))?;
        #[cfg(unix)]
        if let Some(path) = &options.socket {
            site.engine
                .serve_unix(path)
                .await
                .map_err(open("engine socket"))?;
        }
        let forge = |id: &str| {
            site.service(id)
                .map_or_else(anywhere, |service| service.api)
        };
        let forges = [forge("myia-turbo"), forge("myia")];
        let iis = Iis::of_the_demo(forges, [anywhere(); 3], &site.faults, &site.tasks)
            .await
            .map_err(open("sites of IIS"))?;
        let registry = published::open(&site).await?;
        let target = published::target_port(options.ports)?;
        let site = Arc::new(site);
        for (fault, service) in &options.faults {
            site.inject(*fault, service.as_deref())?;
        }
        let control = site.animate().await?;
        history::go_on(&site);
        let demo = Self {
            site,
            engine,
            control,
            shelf,
            iis,
            registry,
            target,
        };
        demo.settle().await;
        Ok(demo)
    }

    /// Waits until every API that is meant to be open accepts connections.
    async fn settle(&self) {
        for service in self.site.services() {
            if !service.container.running() || self.site.faults.is(Fault::ApiRefused, &service.id) {
                continue;
            }
            for _ in 0..100 {
                if tokio::net::TcpStream::connect(service.api).await.is_ok() {
                    break;
                }
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        }
    }

    /// The played host behind it.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// The registry that its engine pulls from.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// `tcp://127.0.0.1:PORT`.
    pub fn engine_url(&self) -> String {
        format!("tcp://{}", self.engine)
    }

    /// Where faults are listed, set and lifted over HTTP.
    pub fn control_url(&self) -> String {
        format!("http://{}", self.control)
    }

    /// The services with their addresses.
    pub fn services(&self) -> &[SiteService] {
        self.site.services()
    }

    /// `http://127.0.0.1:PORT` of a service.
    pub fn api_url(&self, service: &str) -> Option<String> {
        self.site
            .service(service)
            .map(|s| format!("http://{}", s.api))
    }

    /// The real folders of models, and ComfyUI's.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The reverse proxy in front of the services.
    pub fn iis(&self) -> &Iis {
        &self.iis
    }

    /// The section `[iis]` of its plan: the rule of the first Forge, and the one to rehearse with.
    fn iis_toml(&self) -> String {
        let urls = self.iis.urls();
        let url = |site: usize| urls.get(site).map(String::as_str).unwrap_or_default();
        format!(
            "\n[iis]\nweb_config = '{}'\npublic_url = \"{}\"\nrule = \"turbo\"\nrehearsal_rule = \"essai\"\n\
             rehearsal_url = \"{}\"\n",
            self.iis.web_config().display(),
            url(0),
            url(2)
        )
    }

    /// Breaks something at run time.
    pub fn inject(&self, fault: Fault, service: Option<&str>) -> Result<bool, SiteError> {
        self.site.inject(fault, service)
    }

    /// Mends it again.
    pub fn clear(&self, fault: Fault, service: Option<&str>) -> Result<bool, SiteError> {
        self.site.clear(fault, service)
    }

    /// What is broken now.
    pub fn active_faults(&self) -> Vec<ActiveFault> {
        self.site.active()
    }

    /// A `forgekeeper.toml` for this host.
    pub fn config_toml(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "# The demo host of this moment: made anew at every start.\ndemo = true\n\n\
             [[host]]\nid = \"demo\"\nengine = \"{}\"\n",
            self.engine_url()
        );
        for service in self.services() {
            let _ = write!(
                text,
                "\n[[service]]\nid = \"{}\"\nkind = \"{}\"\nhost = \"demo\"\ncontainer = \"{}\"\n\
                 api = \"http://{}\"\ndeclared_gpu = {}\n",
                service.id,
                service.kind,
                service.container.name(),
                service.api,
                service.card
            );
        }
        let api = self.registry.source_api();
        let _ = write!(text, "\n[sources]\napi = \"{api}\"\n");
        text
    }

    /// A `migration.toml` for this host: which service is replaced, what is put beside it, on which card
    /// and port, and through which rule of IIS.
    pub fn plan_toml(&self) -> String {
        let services = self.services();
        let of = |kind: &str| services.iter().find(|s| s.kind == kind);
        let mut text = "# The migration of the demo host.\n[target]\n".to_owned();
        if let Some(service) = of("forge") {
            text.push_str(&format!("from = \"{}\"\n", service.id));
        }
        text.push_str(&format!(
            "to = \"comfyui-next\"\nimage = \"{}/{}\"\nport = {}\n",
            self.registry.name(),
            published::IMAGE,
            self.target.port()
        ));
        let cards = self.site.gpus().cards();
        let card = of("comfyui").and_then(|service| cards.get(service.card));
        if let Some(card) = card {
            text.push_str(&format!("gpu = \"{}\"\n", card.uuid));
        }
        text.push_str("compose_file = \"compose.comfyui.yaml\"\n");
        // Whoever plays through it waits for no days.
        text.push_str("stability_days = 0\nstandby_days = 0\n");
        if let Some(forge) = of("forge") {
            let (models, paths) = (self.shelf.models(&forge.id), self.shelf.extra_model_paths());
            text.push_str(&format!(
                "models = '{}'\nextra_model_paths = '{}'\n",
                models.display(),
                paths.display()
            ));
        }
        text.push_str(&self.iis_toml());
        text
    }

    /// Everything a program needs to know, as JSON.
    pub fn endpoints_json(&self) -> serde_json::Value {
        let services: Vec<serde_json::Value> = self
            .services()
            .iter()
            .map(|s| {
                serde_json::json!({"id": s.id, "kind": s.kind, "api": format!("http://{}", s.api),
                    "container": s.container.name(), "declared_gpu": s.card})
            })
            .collect();
        serde_json::json!({"engine": self.engine_url(), "control": self.control_url(),
                           "services": services, "config": self.config_toml(), "plan": self.plan_toml()})
    }

    /// Ends everything and waits until nothing is left.
    pub async fn shutdown(self) {
        self.site.shutdown().await;
    }
}

pub(crate) fn port(ports: Ports, founding: u16) -> SocketAddr {
    match ports {
        Ports::Ephemeral => anywhere(),
        Ports::Founding => SocketAddr::from((Ipv4Addr::LOCALHOST, founding)),
    }
}
