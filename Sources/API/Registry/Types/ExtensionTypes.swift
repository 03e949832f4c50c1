extension SchemaTable {
    /// k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1
    static let crdTypes = """
        CustomResourceDefinition
          metadata 1 meta:ObjectMeta
          spec 2 CustomResourceDefinitionSpec required unjudged held
          status 3 CustomResourceDefinitionStatus default={"acceptedNames":{"plural":"","kind":""}} held
        CustomResourceDefinitionSpec
          group 1 string required
          names 3 CustomResourceDefinitionNames required held
          scope 4 string required go=ResourceScope
          versions 7 [CustomResourceDefinitionVersion] required
          conversion 9 CustomResourceConversion
          preserveUnknownFields 10 bool
        CustomResourceConversion
          strategy 1 string required go=ConversionStrategyType
          webhook 2 any
        CustomResourceDefinitionVersion
          name 1 string required
          served 2 bool required
          storage 3 bool required
          schema 4 CustomResourceValidation
          subresources 5 CustomResourceSubresources
          additionalPrinterColumns 6 [CustomResourceColumnDefinition]
          deprecated 7 bool
          deprecationWarning 8 string?
          selectableFields 9 [SelectableField]
        CustomResourceValidation
          openAPIV3Schema 1 schema
        ExternalDocumentation
          description 1 string
          url 2 string
        JSONSchemaProps
          id 1 string
          $schema 2 string
          $ref 3 string?
          description 4 string
          type 5 string
          format 6 string
          title 7 string
          default 8 any
          maximum 9 double?
          exclusiveMaximum 10 bool
          minimum 11 double?
          exclusiveMinimum 12 bool
          maxLength 13 int64?
          minLength 14 int64?
          pattern 15 string
          maxItems 16 int64?
          minItems 17 int64?
          uniqueItems 18 bool
          multipleOf 19 double?
          enum 20 [any]
          maxProperties 21 int64?
          minProperties 22 int64?
          required 23 [string]
          items 24 schemaOrList
          allOf 25 [schema]
          oneOf 26 [schema]
          anyOf 27 [schema]
          not 28 schema
          properties 29 {schema}
          additionalProperties 30 schemaOrFlag
          patternProperties 31 {schema}
          dependencies 32 any
          additionalItems 33 schemaOrFlag
          definitions 34 {schema}
          externalDocs 35 ExternalDocumentation
          example 36 any
          nullable 37 bool
          x-kubernetes-preserve-unknown-fields 38 bool?
          x-kubernetes-embedded-resource 39 bool
          x-kubernetes-int-or-string 40 bool
          x-kubernetes-list-map-keys 41 [string]
          x-kubernetes-list-type 42 string?
          x-kubernetes-map-type 43 string?
          x-kubernetes-validations 44 [ValidationRule] map=rule
        ValidationRule
          rule 1 string required
          message 2 string
          messageExpression 3 string
          reason 4 string?
          fieldPath 5 string
          optionalOldSelf 6 bool?
        CustomResourceSubresources
          status 1 CustomResourceSubresourceStatus
          scale 2 CustomResourceSubresourceScale
        CustomResourceSubresourceStatus
        CustomResourceSubresourceScale
          specReplicasPath 1 string required
          statusReplicasPath 2 string required
          labelSelectorPath 3 string?
        CustomResourceColumnDefinition
          name 1 string required
          type 2 string required
          format 3 string
          description 4 string
          priority 5 int32
          jsonPath 6 string required
        SelectableField
          jsonPath 1 string required
        CustomResourceDefinitionNames
          plural 1 string required
          singular 2 string
          shortNames 3 [string]
          kind 4 string required
          listKind 5 string
          categories 6 [string]
        CustomResourceDefinitionStatus
          conditions 1 [CustomResourceDefinitionCondition] map=type default=null held
          acceptedNames 2 CustomResourceDefinitionNames held
          storedVersions 3 [string] required
          observedGeneration 4 int64
        CustomResourceDefinitionCondition
          type 1 string required
          status 2 string required
          lastTransitionTime 3 time default=null
          reason 4 string
          message 5 string
          observedGeneration 6 int64
        """
}
