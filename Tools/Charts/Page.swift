/// A page of text, tables and charts that stands alone: one file with inline SVG, no scripts, nothing to be fetched.
///
/// It is HTML and well-formed XML at once. Light or dark is the reader's setting.
public struct Page: Sendable {
    /// What stands on a page, from top to bottom.
    public enum Block: Sendable {
        case heading(String)
        case paragraph(String)
        case table(DataTable)
        case line(LineChart)
        case bars(BarChart)
        case waterfall(Waterfall)
    }

    public var title: String
    /// Below the title: when, where, on what machine.
    public var subtitle: String
    public var blocks: [Block]

    public init(title: String, subtitle: String = "", blocks: [Block] = []) {
        self.title = title
        self.subtitle = subtitle
        self.blocks = blocks
    }

    /// The file's content, to be written as UTF-8.
    public func html() -> String {
        var markup = Markup()
        markup.raw("<!DOCTYPE html>\n")
        markup.open("html", ["xmlns": "http://www.w3.org/1999/xhtml", "lang": "en"])
        markup.open("head")
        markup.void("meta", ["charset": "utf-8"])
        markup.void("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"])
        markup.element("title", title)
        markup.open("style")
        markup.raw(Style.sheet)
        markup.close("style")
        markup.close("head")
        markup.open("body")
        markup.element("h1", title)
        if !subtitle.isEmpty { markup.element("p", ["class": "note"], subtitle) }
        for (index, block) in blocks.enumerated() {
            let id = "figure-\(index + 1)"
            switch block {
            case .heading(let text): markup.element("h2", text)
            case .paragraph(let text): markup.element("p", text)
            case .table(let table): table.write(to: &markup)
            case .line(let chart): chart.write(to: &markup, id: id)
            case .bars(let chart): chart.write(to: &markup, id: id)
            case .waterfall(let chart): chart.write(to: &markup, id: id)
            }
        }
        markup.close("body")
        markup.close("html")
        return markup.text
    }
}
