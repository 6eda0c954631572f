// What the methods of the generated service classes do: fill answers with sample values, or tell what they were given.
// The request header X-Answer says which; "value=..." is filled with that value wherever it can be. service.py does the
// same on our side, value by value.
using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Reflection;
using System.Text;
using System.Web;
using System.Web.Services.Protocols;
using System.Xml;

public static class Oracle
{
    static string Mode { get { return HttpContext.Current.Request.Headers["X-Answer"] ?? "filled"; } }

    // Called by every method first: header (or null), then the parameters.
    public static void Called(object header, params object[] given)
    {
        if (Mode == "fails")
            throw new InvalidOperationException("It went wrong: <a> & \"b\" \u00e9.");
        if (Mode != "told")
            return;
        var text = new StringBuilder();
        Tell(text, header);
        foreach (var value in given)
        {
            text.Append(' ');
            Tell(text, value);
        }
        throw new SoapException(text.ToString(), SoapException.ClientFaultCode);
    }

    public static T Sample<T>()
    {
        return (T) Sample(typeof(T), Mode, new List<Type>());
    }

    static object Default(Type type)
    {
        return type.IsValueType ? Activator.CreateInstance(type) : null;
    }

    static object Sample(Type type, string mode, List<Type> open)
    {
        if (mode == "bare" || (mode == "hollow" && open.Count > 0))
            return Default(type);
        bool edges = mode == "edges";
        Type core = Nullable.GetUnderlyingType(type) ?? type;
        if (mode.StartsWith("value="))
        {
            object given = Given(core, Uri.UnescapeDataString(mode.Substring("value=".Length)));
            if (given != null) return given;
        }
        if (core == typeof(string)) return edges ? "\u00e9 <&> \"'\t\n]]>\u20ac " : "text";
        if (core == typeof(int)) return edges ? int.MinValue : 42;
        if (core == typeof(long)) return edges ? long.MinValue : 42L;
        if (core == typeof(byte)) return edges ? (byte) 255 : (byte) 42;
        if (core == typeof(double)) return edges ? 0.1 : 42.0;
        if (core == typeof(decimal)) return edges ? -0.10m : 42.5m;
        if (core == typeof(bool)) return !edges;
        if (core == typeof(DateTime))
            return edges ? new DateTime(2021, 12, 31, 23, 59, 58, 120, DateTimeKind.Utc) : new DateTime(2021, 3, 4, 5, 6, 7);
        if (core == typeof(byte[])) return edges ? new byte[0] : new byte[] { 1, 2, 255 };
        if (core.IsEnum)
        {
            Array values = Enum.GetValues(core);
            return values.GetValue(edges ? 0 : values.Length - 1);
        }
        if (core == typeof(object)) return edges ? (object) 7 : "text";
        if (core.IsArray)
        {
            Type item = core.GetElementType();
            if (open.Contains(item)) return null;
            Array made = Array.CreateInstance(item, edges ? 0 : mode == "hollow" ? 1 : 2);
            var within = new List<Type>(open) { core };
            for (int at = 0; at < made.Length; at++)
                made.SetValue(Sample(item, mode, within), at);
            return made;
        }
        if (open.Contains(core)) return null;
        var inside = new List<Type>(open) { core };
        object value = Activator.CreateInstance(Concrete(core, mode));
        foreach (PropertyInfo property in Members(value.GetType()))
            property.SetValue(value, Sample(property.PropertyType, mode, inside), null);
        return value;
    }

    // The value that a text stands for in a type; null when it is none.
    static object Given(Type type, string text)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        double number;
        decimal amount;
        DateTime time;
        if (type == typeof(string)) return text;
        if (type == typeof(double) && double.TryParse(text, NumberStyles.Float, culture, out number)) return number;
        if (type == typeof(decimal) && decimal.TryParse(text, NumberStyles.Float, culture, out amount)) return amount;
        const string form = "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK";
        if (type == typeof(DateTime)
            && DateTime.TryParseExact(text, form, culture, DateTimeStyles.RoundtripKind, out time)) return time;
        return null;
    }

    // An abstract type is stood in for by one that extends it; with "edges" every other type is too, where it can be.
    static Type Concrete(Type type, string mode)
    {
        if (!type.IsAbstract && mode != "edges") return type;
        return type.Assembly.GetTypes()
            .Where(other => other.IsSubclassOf(type) && !other.IsAbstract)
            .OrderBy(other => other.Name, StringComparer.Ordinal)
            .FirstOrDefault() ?? type;
    }

    // All members in wire order, those of the base type first.
    static IEnumerable<PropertyInfo> Members(Type type)
    {
        if (type == typeof(object) || type == typeof(SoapHeader)) return new PropertyInfo[0];
        var own = type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly);
        return Members(type.BaseType).Concat(own.Where(property => property.PropertyType != typeof(XmlAttribute[])));
    }

    static void Tell(StringBuilder text, object value)
    {
        if (value == null) text.Append("null");
        else if (value is string) Quote(text, (string) value);
        else if (value is bool) text.Append((bool) value ? "true" : "false");
        else if (value is DateTime) text.Append(Told((DateTime) value));
        else if (value is byte[]) text.Append("0x").Append(BitConverter.ToString((byte[]) value).Replace("-", ""));
        else if (value is double && double.IsNaN((double) value)) text.Append("NaN");
        else if (value is double) text.Append(BitConverter.DoubleToInt64Bits((double) value).ToString("x16"));
        else if (value is Enum) text.Append('#').Append(Array.IndexOf(Enum.GetValues(value.GetType()), value));
        else if (value is IFormattable) text.Append(((IFormattable) value).ToString(null, CultureInfo.InvariantCulture));
        else if (value is Array)
        {
            text.Append('[');
            foreach (object item in (Array) value)
            {
                Tell(text, item);
                text.Append(' ');
            }
            text.Append(']');
        }
        else if (value.GetType() == typeof(object)) text.Append("object");
        else
        {
            text.Append(value.GetType().Name).Append('(');
            foreach (PropertyInfo property in Members(value.GetType()))
            {
                Tell(text, property.GetValue(value, null));
                text.Append(' ');
            }
            text.Append(')');
        }
    }

    // A time with a zone is told in UTC; without one, as it is.
    static string Told(DateTime value)
    {
        string zone = value.Kind == DateTimeKind.Unspecified ? "" : "Z";
        return value.ToUniversalTimeIfZoned().ToString("yyyy-MM-ddTHH:mm:ss.ffffff", CultureInfo.InvariantCulture) + zone;
    }

    static DateTime ToUniversalTimeIfZoned(this DateTime value)
    {
        return value.Kind == DateTimeKind.Local ? value.ToUniversalTime() : value;
    }

    static void Quote(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (char one in value)
            if (one < ' ' || one > '~' || one == '"' || one == '\\')
                text.Append("\\u").Append(((int) one).ToString("x4"));
            else
                text.Append(one);
        text.Append('"');
    }
}
