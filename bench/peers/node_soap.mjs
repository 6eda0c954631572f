// The status call of the MagnetMail contract on node soap, with our own description: it answers from memory.
// Arguments: folder with node_modules, port, file with the WSDL, file with the members of the answer (JSON).
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";

const [folder, port, wsdl, answer] = process.argv.slice(2);
const soap = createRequire(join(folder, "package.json"))("soap");
const result = { getUploadJobStatusResult: JSON.parse(readFileSync(answer, "utf8")) };
const operations = { getUploadJobStatus: () => result };
const service = "MagnetMail_x0020_Web_x0020_Service";
const services = { [service]: { [`${service}Soap`]: operations, [`${service}Soap12`]: operations } };

const server = createServer((request, response) => response.writeHead(404).end());
server.keepAliveTimeout = 60_000;
server.listen(Number(port), "127.0.0.1", () => {
    soap.listen(server, "/mmapi.asmx", services, readFileSync(wsdl, "utf8"), () => console.log("serves"));
});
