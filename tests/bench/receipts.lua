-- wrk's part of the receipts benchmark: every callback once, in the order of the file; the figures come as JSON.
-- wrk … -s receipts.lua URL -- CALLBACKS_FILE
-- Each line of the file: path and query, signature, body; separated by tabs.

local callbacks = {}
local count, beyond = 0, 0

function init(arguments)
    local host = wrk.host .. ":" .. wrk.port
    for line in io.lines(arguments[1]) do
        local path, signature, body = line:match("^(%S+)\t(%S+)\t(%S+)$")
        callbacks[#callbacks + 1] = wrk.format("POST", path, {
            ["Host"] = host,
            ["Content-Type"] = "application/x-www-form-urlencoded",
            ["X-Twilio-Signature"] = signature,
        }, body)
    end
end

function request()
    count = count + 1
    if count > #callbacks then
        wrk.thread:stop()
        return callbacks[#callbacks]
    end
    return callbacks[count]
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        'RESULT {"requests": %d, "seconds": %f, "refused": %d, "broken": %d, "median_ms": %f, "slow_ms": %f}\n',
        summary.requests, summary.duration / 1e6, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
