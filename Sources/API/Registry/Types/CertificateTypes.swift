extension SchemaTable {
    /// k8s.io/api/certificates/v1
    static let certificateTypes = """
        CertificateSigningRequest
          metadata 1 meta:ObjectMeta
          spec 2 CertificateSigningRequestSpec required held
          status 3 CertificateSigningRequestStatus held
        CertificateSigningRequestCondition
          type 1 string required
          status 6 string required
          reason 2 string
          message 3 string
          lastUpdateTime 4 time
          lastTransitionTime 5 time
        CertificateSigningRequestSpec
          request 1 bytes required
          signerName 7 string required
          expirationSeconds 8 int32?
          usages 5 [string] atomic
          username 2 string
          uid 3 string
          groups 4 [string] atomic
          extra 6 {[string]}
        CertificateSigningRequestStatus
          conditions 1 [CertificateSigningRequestCondition] key=type
          certificate 2 bytes
        """
}
