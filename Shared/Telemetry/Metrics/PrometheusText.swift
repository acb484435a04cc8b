/// Prometheus' text exposition format:
/// https://github.com/prometheus/docs/blob/main/docs/instrumenting/exposition_formats.md
enum PrometheusText {
    static func append(_ family: MetricsRegistry.Family, to text: inout String) {
        text += "# HELP \(family.name) \(escaped(family.help, quotes: false))\n"
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
        for labels in family.order {
            switch family.series[labels] {
            case .counter(let counter)?:
                appendSample(family.name, labels, "\(counter.value)", to: &text)
            case .gauge(let gauge)?:
                appendSample(family.name, labels, number(gauge.value), to: &text)
            case .sampled(let read)?:
                appendSample(family.name, labels, number(read()), to: &text)
            case .histogram(let histogram)?:
                append(histogram, family.name, labels, to: &text)
            case nil:
                continue
            }
        }
    }

    private static func append(
        _ histogram: BucketHistogram, _ name: String, _ labels: MetricLabels, to text: inout String
    ) {
        // The buckets are read one after the other, so the count is their sum: a scrape agrees with itself.
        var total: UInt64 = 0
        for (index, count) in histogram.counts.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
            appendSample(name + "_bucket", labels, extra: ("le", bound), "\(total)", to: &text)
        }
        appendSample(name + "_sum", labels, number(histogram.sum), to: &text)
        appendSample(name + "_count", labels, "\(total)", to: &text)
    }

    private static func appendSample(
        _ name: String, _ labels: MetricLabels, extra: (String, String)? = nil, _ value: String, to text: inout String
    ) {
        text += name
        var pairs = labels.pairs.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
        if let extra { pairs.append("\(extra.0)=\"\(extra.1)\"") }
        if !pairs.isEmpty { text += "{\(pairs.joined(separator: ","))}" }
        text += " \(value)\n"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return "\(whole)" }
        return "\(value)"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    static func isMetricName(_ name: String) -> Bool {
        isName(name, alsoAllowed: ":")
    }

    static func isLabelName(_ name: String) -> Bool {
        isName(name, alsoAllowed: "_") && !name.hasPrefix("__")
    }

    private static func isName(_ name: String, alsoAllowed extra: Character) -> Bool {
        guard let first = name.first, !(first.isASCII && first.isNumber) else { return false }
        return name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == extra) }
    }
}
