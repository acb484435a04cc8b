package import Economics

/// The price list in force and the row that noted it.
package struct PriceBook {
    package let row: Int64
    package let list: PriceList

    package init(row: Int64, list: PriceList) {
        self.row = row
        self.list = list
    }
}
