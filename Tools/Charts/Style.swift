/// The page's style sheet. Series colours keep apart in both schemes and for colour-blind readers; the dashes of lines
/// repeat what colours say.
enum Style {
    /// Series that have a colour of their own; later ones begin again.
    static let colours = 8

    /// The class that gives the series at `index` its colour.
    static func series(_ index: Int) -> String { "s\(index % colours + 1)" }

    static let sheet = """
        :root { color-scheme: light dark; --page: #fcfcfb; --ink: #1c1c1a; --soft: #5f5e58; --grid: #e4e3de;
          --s1: #2a78d6; --s2: #eb6834; --s3: #1baf7a; --s4: #b98300; --s5: #d5588a; --s6: #008300; --s7: #4a3aa7;
          --s8: #e34948; }
        @media (prefers-color-scheme: dark) { :root { --page: #1a1a19; --ink: #f1f0ec; --soft: #a9a8a1; --grid: #3a3936;
          --s1: #3987e5; --s2: #d95926; --s3: #199e70; --s4: #c98500; --s5: #d55181; --s6: #2fa32f; --s7: #9085e9;
          --s8: #e66767; } }
        body { margin: 2rem auto; padding: 0 1rem; max-width: 62rem; background: var(--page); color: var(--ink);
          font: 15px/1.5 system-ui, sans-serif; }
        h1 { font-size: 1.6rem; margin-bottom: 0; } h2 { font-size: 1.2rem; margin-top: 2.5rem; }
        p.note, figcaption p { color: var(--soft); } figure { margin: 1.5rem 0; overflow-x: auto; }
        figcaption { font-weight: 600; } figcaption p { font-weight: 400; margin: 0; }
        svg { width: 100%; max-width: 760px; height: auto; display: block; }
        svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg text.soft { fill: var(--soft); }
        svg .grid { stroke: var(--grid); stroke-width: 1; } svg .axis { stroke: var(--soft); stroke-width: 1; }
        svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; } svg .rule { stroke: var(--soft);
          stroke-width: 1; stroke-dasharray: 2 3; }
        ul.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; margin: .4rem 0; }
        ul.legend i { display: inline-block; width: .8rem; height: .8rem; border-radius: 2px; margin-right: .4rem; }
        table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
        caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
        th, td { padding: .2rem .7rem; border-bottom: 1px solid var(--grid); text-align: right; }
        th { color: var(--soft); font-weight: 600; } th.text, td.text { text-align: left; }
        details { color: var(--soft); } summary { cursor: pointer; }

        """ + (1...colours).map(rule).joined()

    /// Dashes of a line, one for each colour.
    static func dashes(_ index: Int) -> String {
        ["none", "7 3", "2 3", "10 3 2 3", "none", "7 3", "2 3", "10 3 2 3"][index % colours]
    }

    private static func rule(_ number: Int) -> String {
        """
        .s\(number) { --series: var(--s\(number)); }
        svg .line.s\(number) { stroke: var(--series); } svg .fill.s\(number) { fill: var(--series); } \
        i.s\(number) { background: var(--series); }

        """
    }
}
