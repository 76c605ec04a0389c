using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Reflection;
using NUnit.Framework;
using Townsfolk.Tests.Support;

namespace Townsfolk.Tests
{
    /// <summary>
    /// The stubs against unity_api.txt, which lists the real API: each public member of a stub must stand
    /// there with its very names, parameters and return type, and nothing may stand there that no stub has.
    /// </summary>
    [TestFixture]
    internal sealed class UnityApiTests
    {
        private static readonly Dictionary<Type, string> Keywords = new Dictionary<Type, string>
        {
            [typeof(void)] = "void",
            [typeof(bool)] = "bool",
            [typeof(int)] = "int",
            [typeof(uint)] = "uint",
            [typeof(double)] = "double",
            [typeof(float)] = "float",
            [typeof(string)] = "string",
            [typeof(object)] = "object",
        };

        [Test]
        public void TheStubsAreWhatUnityDocuments()
        {
            var documented = File.ReadLines(Path.Combine(Repository.Root, "tests", "unity", "unity_api.txt"))
                .Where(line => line.Length > 0 && line[0] != '#')
                .Select(line => line.Split('|')[0].Trim());
            var stubbed = typeof(UnityEngine.Object).Assembly.GetExportedTypes()
                .Where(type => type.Namespace != "UnityStubs")
                .SelectMany(Describe);
            Assert.That(stubbed, Is.EquivalentTo(documented));
        }

        private static IEnumerable<string> Describe(Type type)
        {
            var name = Name(type, full: true);
            yield return $"{Kind(type)} {name}{Bases(type)}";
            if (typeof(Delegate).IsAssignableFrom(type))
            {
                yield break;
            }

            const BindingFlags Own = BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static
                | BindingFlags.DeclaredOnly;
            foreach (var member in type.GetMembers(Own))
            {
                var text = Describe(member);
                if (text != null)
                {
                    yield return $"{name}: {text}";
                }
            }
        }

        private static string? Describe(MemberInfo member)
        {
            switch (member)
            {
                case FieldInfo field when field.DeclaringType!.IsEnum:
                    return field.IsLiteral ? $"{field.Name} = {Convert.ToInt32(field.GetRawConstantValue())}" : null;
                case FieldInfo field:
                    return $"{Static(field.IsStatic)}{Name(field.FieldType)} {field.Name}";
                case PropertyInfo property:
                    return $"{Static(property.GetMethod!.IsStatic)}{Name(property.PropertyType)} {property.Name}"
                        + (property.SetMethod is { IsPublic: true } ? " { get; set; }" : " { get; }");
                case EventInfo happening:
                    return $"{Static(happening.AddMethod!.IsStatic)}event {Name(happening.EventHandlerType!)} {happening.Name}";
                case ConstructorInfo { IsStatic: false } constructor:
                    return constructor.GetParameters().Length == 0 ? null : $"new({Parameters(constructor)})";
                case MethodInfo method when !method.IsSpecialName
                    && method.GetBaseDefinition().DeclaringType != typeof(object):
                    var arguments = method.IsGenericMethod
                        ? "<" + string.Join(", ", method.GetGenericArguments().Select(one => one.Name)) + ">"
                        : string.Empty;
                    return $"{Static(method.IsStatic)}{Name(method.ReturnType)} {method.Name}{arguments}({Parameters(method)})";
                default:
                    return null;
            }
        }

        private static string Kind(Type type) => type.IsEnum ? "enum"
            : type.IsInterface ? "interface"
            : typeof(Delegate).IsAssignableFrom(type)
                ? "delegate " + Name(type.GetMethod("Invoke")!.ReturnType) + $"({Parameters(type.GetMethod("Invoke")!)})"
            : type.IsValueType ? "struct"
            : "class";

        private static string Bases(Type type)
        {
            var own = type.IsClass && type.BaseType != typeof(object) && type.BaseType != typeof(MulticastDelegate)
                && type.BaseType != typeof(Attribute);
            return own ? " : " + Name(type.BaseType!) : string.Empty;
        }

        private static string Static(bool isStatic) => isStatic ? "static " : string.Empty;

        private static string Parameters(MethodBase method) => string.Join(
            ", ",
            method.GetParameters().Select(parameter =>
                (parameter.IsDefined(typeof(ParamArrayAttribute)) ? "params " : string.Empty)
                + (parameter.IsOut ? "out " : parameter.IsIn ? "in " : string.Empty)
                + $"{Name(parameter.ParameterType)} {parameter.Name}"));

        private static string Name(Type type, bool full = false)
        {
            if (type.IsByRef)
            {
                return Name(type.GetElementType()!);
            }

            if (type.IsArray)
            {
                return Name(type.GetElementType()!) + "[]";
            }

            if (Keywords.TryGetValue(type, out var keyword))
            {
                return keyword;
            }

            if (Nullable.GetUnderlyingType(type) is { } value)
            {
                return Name(value) + "?";
            }

            var name = type.Name.Split('`')[0];
            if (type.IsGenericType)
            {
                name += "<" + string.Join(", ", type.GetGenericArguments().Select(one => Name(one))) + ">";
            }

            if (!full || type.IsGenericParameter)
            {
                return name;
            }

            return (type.DeclaringType != null ? Name(type.DeclaringType, full: true) : type.Namespace) + "." + name;
        }
    }
}
