/// The version of the Token Factory that this is: what all programs and descriptions say.
public enum ProductVersion {
    public static let text = "0.8.0"
}
