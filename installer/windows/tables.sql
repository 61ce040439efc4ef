-- What wixl has no element for, one query a line. The old version is removed last, when the new one holds its components: so the
-- service is stopped and started again, but not registered anew.
INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('RemoveExistingProducts', 6650)
UPDATE `Property` SET `Value` = 'ACCOUNT;CONFIG;NEWERFOUND;OLDERFOUND' WHERE `Property` = 'SecureCustomProperties'
-- PATH
CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, `Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)
INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) VALUES ('Path', '=-*PATH', '[~];[INSTALLDIR]', 'Program')
INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('RemoveEnvironmentStrings', 3300)
INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('WriteEnvironmentStrings', 5200)
-- DEFAULTCONFIG: the configuration in ProgramData, if there is one
CREATE TABLE `DrLocator` (`Signature_` CHAR(72) NOT NULL, `Parent` CHAR(72), `Path` CHAR(255), `Depth` SHORT PRIMARY KEY `Signature_`, `Parent`, `Path`)
INSERT INTO `Signature` (`Signature`, `FileName`) VALUES ('DefaultConfig', 'hotfolder.yaml')
INSERT INTO `DrLocator` (`Signature_`, `Path`, `Depth`) VALUES ('DefaultConfig', '[CommonAppDataFolder]hotfolder\', 0)
INSERT INTO `AppSearch` (`Property`, `Signature_`) VALUES ('DEFAULTCONFIG', 'DefaultConfig')
INSERT INTO `InstallExecuteSequence` (`Action`, `Sequence`) VALUES ('AppSearch', 50)
-- The service is registered and started by our own command: deferred, as SYSTEM (1024+2048), in a folder (34), and Start may fail (64). They
-- have no console to write to, so cmd.exe sends what they say to install.log.
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Register', 3106, 'INSTALLDIR', '"[System64Folder]cmd.exe" /c ""[INSTALLDIR]hotfolder.exe" --config "[CONFIG]" service install >>"[DATADIR]install.log" 2>&1"')
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('RegisterAs', 3106, 'INSTALLDIR', '"[System64Folder]cmd.exe" /c ""[INSTALLDIR]hotfolder.exe" --config "[CONFIG]" service install --account "[ACCOUNT]" >>"[DATADIR]install.log" 2>&1"')
INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) VALUES ('Start', 3170, 'INSTALLDIR', '"[System64Folder]cmd.exe" /c ""[INSTALLDIR]hotfolder.exe" service start >>"[DATADIR]install.log" 2>&1"')
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Register', 'CONFIG AND NOT ACCOUNT AND NOT REMOVE', 5910)
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('RegisterAs', 'CONFIG AND ACCOUNT AND NOT REMOVE', 5911)
INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) VALUES ('Start', 'NOT REMOVE', 5920)
