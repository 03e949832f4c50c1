extension SchemaTable {
    /// What a persistent volume can be, and what is said of it. (k8s.io/api/core/v1)
    static let persistentVolumeTypes = """
        AzureFilePersistentVolumeSource
          secretName 1 string required
          shareName 2 string required
          readOnly 3 bool
          secretNamespace 4 string?
        CSIPersistentVolumeSource
          driver 1 string required
          volumeHandle 2 string required
          readOnly 3 bool
          fsType 4 string
          volumeAttributes 5 {string}
          controllerPublishSecretRef 6 SecretReference atomic
          nodeStageSecretRef 7 SecretReference atomic
          nodePublishSecretRef 8 SecretReference atomic
          controllerExpandSecretRef 9 SecretReference atomic
          nodeExpandSecretRef 10 SecretReference atomic
        CephFSPersistentVolumeSource
          monitors 1 [string] required
          path 2 string
          user 3 string
          secretFile 4 string
          secretRef 5 SecretReference atomic
          readOnly 6 bool
        CinderPersistentVolumeSource
          volumeID 1 string required
          fsType 2 string
          readOnly 3 bool
          secretRef 4 SecretReference atomic
        FlexPersistentVolumeSource
          driver 1 string required
          fsType 2 string
          secretRef 3 SecretReference atomic
          readOnly 4 bool
          options 5 {string}
        GlusterfsPersistentVolumeSource
          endpoints 1 string required
          path 2 string required
          readOnly 3 bool
          endpointsNamespace 4 string?
        ISCSIPersistentVolumeSource
          targetPortal 1 string required
          iqn 2 string required
          lun 3 int32 required
          iscsiInterface 4 string default="default"
          fsType 5 string
          readOnly 6 bool
          portals 7 [string]
          chapAuthDiscovery 8 bool
          chapAuthSession 11 bool
          secretRef 10 SecretReference atomic
          initiatorName 12 string?
        LocalVolumeSource
          path 1 string required
          fsType 2 string?
        PersistentVolume
          metadata 1 meta:ObjectMeta
          spec 2 PersistentVolumeSpec default={} held
          status 3 PersistentVolumeStatus default={"phase":"Pending"} held
        PersistentVolumeSource
          gcePersistentDisk 1 GCEPersistentDiskVolumeSource
          awsElasticBlockStore 2 AWSElasticBlockStoreVolumeSource
          hostPath 3 HostPathVolumeSource
          glusterfs 4 GlusterfsPersistentVolumeSource
          nfs 5 NFSVolumeSource
          rbd 6 RBDPersistentVolumeSource
          iscsi 7 ISCSIPersistentVolumeSource
          cinder 8 CinderPersistentVolumeSource
          cephfs 9 CephFSPersistentVolumeSource
          fc 10 FCVolumeSource
          flocker 11 FlockerVolumeSource
          flexVolume 12 FlexPersistentVolumeSource
          azureFile 13 AzureFilePersistentVolumeSource
          vsphereVolume 14 VsphereVirtualDiskVolumeSource
          quobyte 15 QuobyteVolumeSource
          azureDisk 16 AzureDiskVolumeSource
          photonPersistentDisk 17 PhotonPersistentDiskVolumeSource
          portworxVolume 18 PortworxVolumeSource
          scaleIO 19 ScaleIOPersistentVolumeSource
          local 20 LocalVolumeSource
          storageos 21 StorageOSPersistentVolumeSource
          csi 22 CSIPersistentVolumeSource
        PersistentVolumeSpec
          capacity 1 {quantity}
          + 2 PersistentVolumeSource
          accessModes 3 [string] go=PersistentVolumeAccessMode
          claimRef 4 ObjectReference
          persistentVolumeReclaimPolicy 5 string|Delete|Recycle|Retain default="Retain" go=PersistentVolumeReclaimPolicy
          storageClassName 6 string
          mountOptions 7 [string]
          volumeMode 8 string?|Block|Filesystem default="Filesystem" go=PersistentVolumeMode
          nodeAffinity 9 VolumeNodeAffinity
          volumeAttributesClassName 10 string?
        PersistentVolumeStatus
          phase 1 string|Pending|Available|Bound|Released|Failed
          message 2 string
          reason 3 string
          lastPhaseTransitionTime 4 time
        RBDPersistentVolumeSource
          monitors 1 [string] required
          image 2 string required
          fsType 3 string
          pool 4 string default="rbd"
          user 5 string default="admin"
          keyring 6 string default="/etc/ceph/keyring"
          secretRef 7 SecretReference atomic
          readOnly 8 bool
        ScaleIOPersistentVolumeSource
          gateway 1 string required
          system 2 string required
          secretRef 3 SecretReference required atomic
          sslEnabled 4 bool
          protectionDomain 5 string
          storagePool 6 string
          storageMode 7 string default="ThinProvisioned"
          volumeName 8 string
          fsType 9 string default="xfs"
          readOnly 10 bool
        SecretReference
          name 1 string
          namespace 2 string
        StorageOSPersistentVolumeSource
          volumeName 1 string
          volumeNamespace 2 string
          fsType 3 string
          readOnly 4 bool
          secretRef 5 ObjectReference atomic
        TopologySelectorLabelRequirement
          key 1 string required
          values 2 [string] required
        TopologySelectorTerm
          matchLabelExpressions 1 [TopologySelectorLabelRequirement]
        VolumeNodeAffinity
          required 1 NodeSelector atomic
        """

    /// k8s.io/api/storage/v1
    static let storageTypes = """
        CSIDriver
          metadata 1 meta:ObjectMeta
          spec 2 CSIDriverSpec default={} held
        CSIDriverSpec
          attachRequired 1 bool? default=true
          podInfoOnMount 2 bool? default=false
          volumeLifecycleModes 3 [string|Persistent|Ephemeral] default=["Persistent"] set
          storageCapacity 4 bool? default=false
          fsGroupPolicy 5 string?|ReadWriteOnceWithFSType|File|None default="ReadWriteOnceWithFSType"
          tokenRequests 6 [TokenRequest]
          requiresRepublish 7 bool? default=false
          seLinuxMount 8 bool? default=false
          nodeAllocatableUpdatePeriodSeconds 9 int64?
          serviceAccountTokenInSecrets 10 bool?
        CSINode
          metadata 1 meta:ObjectMeta
          spec 2 CSINodeSpec default={} held
        CSINodeDriver
          name 1 string required
          nodeID 2 string required
          topologyKeys 3 [string] held
          allocatable 4 VolumeNodeResources
        CSINodeSpec
          drivers 1 [CSINodeDriver] required key=name
        CSIStorageCapacity
          metadata 1 meta:ObjectMeta
          nodeTopology 2 meta:LabelSelector atomic
          storageClassName 3 string required
          capacity 4 quantity
          maximumVolumeSize 5 quantity
        StorageClass
          metadata 1 meta:ObjectMeta
          provisioner 2 string required
          parameters 3 {string}
          reclaimPolicy 4 string? default="Delete" go=PersistentVolumeReclaimPolicy
          mountOptions 5 [string]
          allowVolumeExpansion 6 bool?
          volumeBindingMode 7 string?|Immediate|WaitForFirstConsumer default="Immediate" go=VolumeBindingMode
          allowedTopologies 8 [core:TopologySelectorTerm]
        TokenRequest
          audience 1 string required
          expirationSeconds 2 int64?
        VolumeAttachment
          metadata 1 meta:ObjectMeta
          spec 2 VolumeAttachmentSpec default={} held
          status 3 VolumeAttachmentStatus held
        VolumeAttachmentSource
          persistentVolumeName 1 string?
          inlineVolumeSpec 2 core:PersistentVolumeSpec
        VolumeAttachmentSpec
          attacher 1 string required
          source 2 VolumeAttachmentSource required held
          nodeName 3 string required
        VolumeAttachmentStatus
          attached 1 bool required
          attachmentMetadata 2 {string}
          attachError 3 VolumeError
          detachError 4 VolumeError
        VolumeAttributesClass
          metadata 1 meta:ObjectMeta
          driverName 2 string required
          parameters 3 {string}
        VolumeError
          time 1 time
          message 2 string
          errorCode 3 int32?
        VolumeNodeResources
          count 1 int32?
        """
}
