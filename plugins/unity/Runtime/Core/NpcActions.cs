using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using Google.Protobuf.WellKnownTypes;
using Townsfolk.V1;

namespace Townsfolk
{
    /// <summary>
    /// Makes a method something that a character can do. Its parameters are of the types string, int, long, float,
    /// double, bool, or an enum; those with a default may be left out. What it returns the character learns; of a
    /// bool, false means that it is not done.
    /// </summary>
    [AttributeUsage(AttributeTargets.Method)]
    public sealed class NpcActionAttribute : Attribute
    {
        /// <summary>Says what the method does, for the model.</summary>
        public NpcActionAttribute(string description)
        {
            Description = description;
        }

        /// <summary>What it does.</summary>
        public string Description { get; }

        /// <summary>When the character may do it.</summary>
        public string When { get; set; } = string.Empty;
    }

    /// <summary>Throw this in a method that is an action: it is not done, and the message says why.</summary>
    public sealed class NpcActionRefusedException : Exception
    {
        /// <summary>Says why not.</summary>
        public NpcActionRefusedException(string reason)
            : base(reason)
        {
        }
    }

    /// <summary>What a character can do: the methods with <see cref="NpcActionAttribute"/> of some objects.</summary>
    public sealed class NpcActions
    {
        private readonly Dictionary<string, Entry> _entries = new Dictionary<string, Entry>();

        /// <summary>The names of the actions.</summary>
        public IReadOnlyCollection<string> Names => _entries.Keys;

        /// <summary>Takes the methods of an object that are actions.</summary>
        /// <exception cref="ArgumentException">A method has a parameter that no action can have, or a name twice.</exception>
        public void Add(object target)
        {
            const BindingFlags All = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
            foreach (var method in target.GetType().GetMethods(All))
            {
                if (method.GetCustomAttribute<NpcActionAttribute>() is { } attribute)
                {
                    if (_entries.ContainsKey(method.Name))
                    {
                        throw new ArgumentException($"there is an action {method.Name} already");
                    }

                    _entries.Add(method.Name, new Entry(target, method, Describe(method, attribute)));
                }
            }
        }

        /// <summary>The actions as a session takes them.</summary>
        public IEnumerable<ActionSpec> ToMessages() => _entries.Values.Select(entry => entry.Message);

        /// <summary>Calls the method of an action.</summary>
        /// <param name="request">What the character does.</param>
        /// <param name="outcome">The result, or the reason why it is not done.</param>
        /// <returns>Whether it is done; null when no method is behind it.</returns>
        public bool? Invoke(ActionRequested request, out string outcome)
        {
            outcome = string.Empty;
            if (!_entries.TryGetValue(request.Name, out var entry))
            {
                return null;
            }

            var given = Struct.Parser.ParseJson(request.ArgumentsJson);
            var arguments = entry.Method.GetParameters()
                .Select(parameter => given.Fields.TryGetValue(parameter.Name!, out var value)
                    ? Read(value, parameter.ParameterType)
                    : parameter.DefaultValue)
                .ToArray();
            try
            {
                var result = entry.Method.Invoke(entry.Target, arguments);
                outcome = result is null || result is bool ? string.Empty : result.ToString()!;
                return !(result is false);
            }
            catch (TargetInvocationException failure) when (failure.InnerException is NpcActionRefusedException refused)
            {
                outcome = refused.Message;
                return false;
            }
        }

        private static ActionSpec Describe(MethodInfo method, NpcActionAttribute attribute)
        {
            var message = new ActionSpec
            {
                Name = method.Name,
                Description = attribute.Description,
                Condition = attribute.When,
            };
            foreach (var parameter in method.GetParameters())
            {
                var described = new ActionParameter
                {
                    Name = parameter.Name,
                    Type = TypeOf(method, parameter),
                    Optional = parameter.HasDefaultValue,
                };
                if (parameter.ParameterType == typeof(int))
                {
                    described.Minimum = int.MinValue;
                    described.Maximum = int.MaxValue;
                }

                if (parameter.ParameterType.IsEnum)
                {
                    described.Options.AddRange(System.Enum.GetNames(parameter.ParameterType));
                }

                message.Parameters.Add(described);
            }

            return message;
        }

        private static ParameterType TypeOf(MethodInfo method, ParameterInfo parameter)
        {
            var type = parameter.ParameterType;
            if (type == typeof(string) || type.IsEnum)
            {
                return ParameterType.String;
            }

            if (type == typeof(int) || type == typeof(long))
            {
                return ParameterType.Integer;
            }

            if (type == typeof(float) || type == typeof(double))
            {
                return ParameterType.Number;
            }

            if (type == typeof(bool))
            {
                return ParameterType.Boolean;
            }

            throw new ArgumentException(
                $"{method.Name} has the parameter {parameter.Name}, which is no string, int, long, float, double, bool or enum");
        }

        private static object Read(Value value, System.Type type)
        {
            if (type.IsEnum)
            {
                return System.Enum.Parse(type, value.StringValue);
            }

            if (type == typeof(bool))
            {
                return value.BoolValue;
            }

            return type == typeof(string) ? value.StringValue : Convert.ChangeType(value.NumberValue, type);
        }

        private sealed class Entry
        {
            public Entry(object target, MethodInfo method, ActionSpec message)
            {
                Target = target;
                Method = method;
                Message = message;
            }

            public object Target { get; }

            public MethodInfo Method { get; }

            public ActionSpec Message { get; }
        }
    }
}
