import Testing

@testable import Telemetry

@Suite struct MetricsRegistryTests {
    @Test func rendersEveryKindInTheTextFormat() {
        let metrics = MetricsRegistry()
        metrics.counter("tf_frames_total", help: "Frames.", labels: ["kind": "textBatch", "door": "zmq"])
            .increment(by: 3)
        metrics.counter("tf_frames_total", help: "Frames.", labels: ["kind": "submit", "door": "zmq"]).increment()
        metrics.gauge("tf_streams", help: "Streams\nin \\ work.").set(2.5)
        metrics.gauge("tf_age_seconds", help: "Oldest.") { 7 }
        let histogram = metrics.histogram(
            "tf_ttft_seconds", help: "TTFT.", labels: ["model": "a\"b"], bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 3] { histogram.observe(value) }
        #expect(
            metrics.render() == """
                # HELP tf_frames_total Frames.
                # TYPE tf_frames_total counter
                tf_frames_total{door="zmq",kind="textBatch"} 3
                tf_frames_total{door="zmq",kind="submit"} 1
                # HELP tf_streams Streams\\nin \\\\ work.
                # TYPE tf_streams gauge
                tf_streams 2.5
                # HELP tf_age_seconds Oldest.
                # TYPE tf_age_seconds gauge
                tf_age_seconds 7
                # HELP tf_ttft_seconds TTFT.
                # TYPE tf_ttft_seconds histogram
                tf_ttft_seconds_bucket{model="a\\"b",le="0.1"} 2
                tf_ttft_seconds_bucket{model="a\\"b",le="1"} 3
                tf_ttft_seconds_bucket{model="a\\"b",le="+Inf"} 4
                tf_ttft_seconds_sum{model="a\\"b"} 3.65
                tf_ttft_seconds_count{model="a\\"b"} 4

                """)
    }

    @Test func sameNameAndLabelsGiveTheSameHandle() {
        let metrics = MetricsRegistry()
        let first = metrics.counter("c_total", help: "", labels: ["a": "1", "b": "2"])
        #expect(first === metrics.counter("c_total", help: "", labels: ["b": "2", "a": "1"]))
        #expect(first !== metrics.counter("c_total", help: "", labels: ["a": "1", "b": "3"]))
    }

    @Test func labelsBeyondTheLimitShareOneSeries() {
        let metrics = MetricsRegistry(maximumSeries: 2)
        for tenant in 0..<10 { metrics.counter("c_total", help: "", labels: ["tenant": "\(tenant)"]).increment() }
        let lines = metrics.render().split(separator: "\n").filter { !$0.hasPrefix("#") }
        #expect(lines == [#"c_total{tenant="0"} 1"#, #"c_total{tenant="1"} 1"#, #"c_total{tenant="other"} 8"#])
    }

    @Test func histogramBoundsAreInclusiveAndNaNIsIgnored() {
        let histogram = BucketHistogram(bounds: [1, 2, 4])
        for value in [-1, 1, 1.5, 2, 4, 4.1, .infinity, .nan] as [Double] { histogram.observe(value) }
        #expect(histogram.counts == [2, 2, 1, 2])
        let nanoseconds = BucketHistogram(bounds: BucketHistogram.seconds)
        nanoseconds.observe(nanoseconds: 50_000)
        #expect(nanoseconds.counts.first == 1)
    }

    @Test func concurrentIncrementsAreAllCounted() async {
        let metrics = MetricsRegistry()
        let gauge = metrics.gauge("g", help: "")
        let histogram = metrics.histogram("h", help: "", bounds: [1])
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<5000 {
                        metrics.counter("c_total", help: "").increment()
                        gauge.add(1)
                        histogram.observe(0.5)
                    }
                }
            }
        }
        #expect(metrics.counter("c_total", help: "").value == 40_000)
        #expect(gauge.value == 40_000)
        #expect(histogram.counts == [40_000, 0])
        #expect(histogram.sum == 20_000)
    }

    @Test func specialNumbersAreWrittenAsPrometheusReadsThem() {
        #expect(PrometheusText.number(.nan) == "NaN")
        #expect(PrometheusText.number(.infinity) == "+Inf")
        #expect(PrometheusText.number(-.infinity) == "-Inf")
        #expect(PrometheusText.number(1e20) == "1e+20")
        #expect(PrometheusText.number(3) == "3")
    }

    @Test(arguments: ["", "1a", "a-b", "ä"]) func refusesBadNames(_ name: String) {
        #expect(!PrometheusText.isMetricName(name))
        #expect(!PrometheusText.isLabelName(name))
    }
}
