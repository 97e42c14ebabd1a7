-- wrk's part of the intake benchmark: every request has an Idempotency-Key of its own; the figures come as JSON.
-- wrk … -s intake.lua URL -- API_KEY BODY_FILE PREFIX

local body, headers, prefix
local count = 0

function init(arguments)
    local file = io.open(arguments[2], "rb")
    body = file:read("*a")
    file:close()
    prefix = arguments[3]
    headers = {
        ["Host"] = wrk.host .. ":" .. wrk.port,
        ["Content-Type"] = "application/json",
        ["Authorization"] = "Bearer " .. arguments[1],
    }
end

function request()
    count = count + 1
    headers["Idempotency-Key"] = prefix .. count
    return wrk.format("POST", nil, headers, body)
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'RESULT {"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "median_ms": %f, "slow_ms": %f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
