-- Asks with one token after another of the file that BENCH_TOKENS names, over wrk's kept connections.
local requests = {}
for line in io.lines(os.getenv("BENCH_TOKENS")) do
  requests[#requests + 1] = "GET /v1/credentials HTTP/1.1\r\nHost: 127.0.0.1:" .. os.getenv("BENCH_PORT")
    .. "\r\nAuthorization: " .. line .. "\r\n\r\n"
end
local next = 0

request = function()
  next = next % #requests + 1
  return requests[next]
end
