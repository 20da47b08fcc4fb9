// The page itself, behind Scalar in one script: shows the OpenAPI document that the script's element names.
{
  const { openapi, root } = document.currentScript.dataset;
  const source = new URL(openapi, location.href);

  // In the document an event's `data` is text, as on the wire, and what the text holds is said beside it. Scalar shows
  // no more of that than "string": so it is given the payload itself, with its fields.
  const opened = (node) => {
    if (Array.isArray(node)) return node.map(opened);
    if (node === null || typeof node !== "object") return node;
    const { type, contentMediaType, contentSchema, ...rest } = node;
    if (type === "string" && contentMediaType === "application/json" && contentSchema) {
      return { ...rest, ...opened(contentSchema) };
    }
    return Object.fromEntries(Object.entries(node).map(([key, value]) => [key, opened(value)]));
  };

  // Relative servers stand beside the document, and without any the routes are where the page's are. Scalar takes both
  // for the root of the host, which is wrong under a prefix.
  const servers = (given) => {
    if (!given?.length) return [{ url: absolute(root, location.href) }];
    return given.map((server) => ({ ...server, url: absolute(server.url, source) }));
  };
  const absolute = (url, base) => new URL(url, base).href.replace(/\/$/, "");

  const customFetch = async (input, init) => {
    const response = await fetch(input, init);
    const asked = new URL(input instanceof Request ? input.url : input, location.href);
    if (asked.href !== source.href || !response.ok) return response;
    const shown = await response.json();
    return Response.json({ ...opened(shown), servers: servers(shown.servers) });
  };

  Scalar.createApiReference("#app", {
    url: source.href,
    customFetch,
    documentDownloadType: "direct",
    // An event is its fields: they are what one comes for, and in the order in which they are sent.
    expandAllResponses: true,
    expandAllSchemaProperties: true,
    defaultOpenAllTags: true,
    orderSchemaPropertiesBy: "preserve",
    // Everything that would ask another machine, or lead there. The page's policy forbids the asking, too.
    withDefaultFonts: false,
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
    hideClientButton: true,
    showDeveloperTools: "never",
    proxyUrl: "",
    externalUrls: { dashboardUrl: "", registryUrl: "", proxyUrl: "", apiBaseUrl: "" },
  });
}
