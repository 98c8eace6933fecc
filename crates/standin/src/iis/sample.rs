//! The `web.config` of the founding site, as years leave it.

use std::net::SocketAddr;

/// Rules for the two public sites and for the one to rehearse on, which leads where the first does.
pub(super) fn site(sites: [SocketAddr; 3], forges: [SocketAddr; 2]) -> Vec<u8> {
    let host = |at: SocketAddr| at.to_string().replace('.', r"\.");
    let [turbo, myia, rehearsal] = sites.map(host);
    let rule = |name: &str, host: &str, to: SocketAddr| {
        format!(
            r#"        <rule name="{name}" stopProcessing="true">
          <match url="(.*)" />
          <serverVariables>
            <set name="HTTP_SEC_WEBSOCKET_EXTENSIONS" value="" />
          </serverVariables>
          <conditions logicalGrouping="MatchAll" trackAllCaptures="false">
            <add input="{{HTTP_HOST}}" pattern="^{host}$" />
          </conditions>
          <action type="Rewrite" url="http://{to}/{{R:1}}" />
        </rule>
"#
        )
    };
    let rules = [
        rule("turbo", &turbo, forges[0]),
        rule("myia", &myia, forges[1]),
        rule("essai", &rehearsal, forges[0]),
    ];
    let text = format!(
        r#"<?xml version="1.0" encoding="utf-8"?>
<!-- Sites myia.io, turbo.myia.io et essai.myia.io. Modifié à la main, voir le wiki. -->
<configuration>
  <system.webServer>
    <webSocket enabled="true" />
    <rewrite>
      <rules>
        <clear />
        <!-- Ancienne adresse : http://{}/ -->
{}      </rules>
    </rewrite>
    <security>
      <requestFiltering>
        <requestLimits maxAllowedContentLength="209715200" />
      </requestFiltering>
    </security>
    <httpProtocol>
      <customHeaders>
        <add name="X-Robots-Tag" value="noindex, nofollow" />
      </customHeaders>
    </httpProtocol>
  </system.webServer>
</configuration>
"#,
        forges[0],
        rules.concat()
    );
    // As the editor of Visual Studio leaves it.
    format!("\u{feff}{}", text.replace('\n', "\r\n")).into_bytes()
}
