// Runs the tests that come with the package ksqldb-client against a server (KSQLDB_HOST, KSQLDB_PORT): what its documentation shows,
// and more. Two are left out that ask for machines which aren't there.
"use strict";

const Module = require("module");
const path = require("path");

const LEFT_OUT = /connecting to an invalid (source|port)/;
const PATIENCE_MS = 60_000;

const found = path.dirname(require.resolve("ksqldb-client/package.json", { paths: [process.cwd()] }));
// The tests ask for the sources, which aren't in the package.
const resolve = Module._resolveFilename;
Module._resolveFilename = function (request, ...rest) {
    const built = request.startsWith("../src") ? path.join(found, "lib", request.slice("../src".length)) : request;
    return resolve.call(this, built, ...rest);
};

const tests = [];
global.describe = (_, body) => body();
global.it = (name, body) => {
    tests.push({ name, body });
    return { timeout() {} };
};
require(path.join(found, "tests", "index.spec.js"));

async function main() {
    let passed = 0;
    for (const { name, body } of tests) {
        if (LEFT_OUT.test(name)) {
            continue;
        }
        let timer;
        const late = new Promise((_, reject) => {
            timer = setTimeout(() => reject(new Error("it takes too long")), PATIENCE_MS);
        });
        await Promise.race([body(), late]);
        clearTimeout(timer);
        console.log(`  ${name}`);
        passed += 1;
    }
    if (passed < 20) {
        throw new Error(`only ${passed} tests were found`);
    }
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
