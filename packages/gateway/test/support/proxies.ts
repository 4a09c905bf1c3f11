import { readFileSync } from "node:fs";
import { type EmbeddedProxy, startProxy, type ProxyProgram } from "@keyline/embedded";
import { onTestFinished } from "vitest";

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");

const languages: Readonly<Record<ProxyProgram, string>> = { nginx: "nginx", caddy: "caddyfile", haproxy: "haproxy" };

function blockOf(program: ProxyProgram): string {
  const [, block] = new RegExp(`^\`\`\`${languages[program]}\\n(.*?)^\`\`\`$`, "ms").exec(readme) ?? [];
  if (block === undefined) throw new Error(`The README has no block for ${program}`);
  return block;
}

/** Each of these lines must be there. */
function replaceAll(block: string, lines: Readonly<Record<string, string>>): string {
  return Object.entries(lines).reduce((text, [line, other]) => {
    if (!text.includes(line)) throw new Error(`The block has no ${line}`);
    return text.replaceAll(line, other);
  }, block);
}

interface Place {
  readonly port: number;
  readonly folder: string;
}

/** nginx's configuration around a block within `http`. */
export function nginxAround(http: string, { folder }: Place): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`);
  const user = process.getuid?.() === 0 ? "user root;" : "";
  return `${user} daemon off; master_process off; pid ${folder}/pid; error_log stderr;
events { worker_connections 256; }
http { access_log off; ${temporary.join(" ")}
${http}
}
`;
}

/** What a test has to change: it has no certificate, no name, and not those ports. Everything else is the README's. */
const configurations: Readonly<Record<ProxyProgram, (block: string, target: string, place: Place) => string>> = {
  nginx: (block, target, place) => {
    const own = {
      "listen 443 ssl http2;": `listen 127.0.0.1:${place.port};`,
      "ssl_certificate /etc/ssl/example.com.pem;": "",
      "ssl_certificate_key /etc/ssl/example.com.key;": "",
      "/var/log/nginx/gateway.log": `${place.folder}/access.log`,
      "127.0.0.1:8080": target,
    };
    return nginxAround(replaceAll(block, own), place);
  },
  caddy: (block, target, { port }) => {
    return `{\n\tadmin off\n\tauto_https off\n}\n${replaceAll(block, { "example.com {": `http://127.0.0.1:${port} {`, "127.0.0.1:8080": target })}`;
  },
  haproxy: (block, target, { port }) => {
    const own = { "bind :443 ssl crt /etc/ssl/example.com.pem alpn h2,http/1.1": `bind 127.0.0.1:${port}`, "127.0.0.1:8080": target };
    return replaceAll(block, own);
  },
};

/** The proxy of the README's block, before the server at `url`. */
export async function startDocumentedProxy(program: ProxyProgram, url: string): Promise<EmbeddedProxy> {
  const target = new URL(url).host;
  const proxy = await startProxy({ program, configuration: (place) => configurations[program](blockOf(program), target, place) });
  onTestFinished(() => proxy.stop());
  return proxy;
}
